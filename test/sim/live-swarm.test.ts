import test from "ava";
import { seededRandom } from "../support/seeded-random.ts";
import { runLiveSwarm } from "./live-swarm.ts";

/** 200 Mbit/s. */
const BYTES_PER_SECOND = 25_000_000;
const KIB = 1024;

// one after another: the engine's timers are replaced meanwhile
test.serial("16 hosts: the last one has 200 MB within 1.15 × the ideal time, and the seeder sends about one copy", async (t) => {
  const swarm = { lengthBytes: 200_000_000, pieceLengthBytes: 512 * KIB, bytesPerSecond: BYTES_PER_SECOND };
  const result = await runLiveSwarm({ ...swarm, hosts: 16, random: seededRandom(1) });
  t.log(
    `last ${result.lastByIdeal.toFixed(3)} ×, first ${result.firstByIdeal.toFixed(3)} ×, seeder ${result.seederCopies.toFixed(3)} copies`,
  );
  t.true(result.lastByIdeal <= 1.15, `${result.lastByIdeal}`);
  t.true(result.seederCopies <= 1.1, `${result.seederCopies}`);
});

test.serial("24 hosts take at most 1.1 × the time of 4", async (t) => {
  const swarm = { lengthBytes: 100_000_000, pieceLengthBytes: 256 * KIB, bytesPerSecond: BYTES_PER_SECOND };
  const few = await runLiveSwarm({ ...swarm, hosts: 4, random: seededRandom(2) });
  const many = await runLiveSwarm({ ...swarm, hosts: 24, random: seededRandom(3) });
  t.log(`4 hosts ${few.lastByIdeal.toFixed(3)} ×, 24 hosts ${many.lastByIdeal.toFixed(3)} ×`);
  t.true(many.lastByIdeal <= few.lastByIdeal * 1.1, `${many.lastByIdeal / few.lastByIdeal}`);
});

test.serial("a single host takes hardly longer than its link", async (t) => {
  const swarm = { lengthBytes: 100_000_000, pieceLengthBytes: 256 * KIB, bytesPerSecond: BYTES_PER_SECOND };
  const { lastByIdeal, seederCopies } = await runLiveSwarm({ ...swarm, hosts: 1, random: seededRandom(4) });
  t.log(`${lastByIdeal.toFixed(3)} ×`);
  t.true(lastByIdeal <= 1.05, `${lastByIdeal}`);
  t.is(seederCopies, 1);
});
