/** More hosts than a peer has places for, in virtual time. */
import test from "ava";
import { seededRandom } from "../support/seeded-random.ts";
import { runLiveSwarm } from "./live-swarm.ts";

const KIB = 1024;
const LINK = { pieceLengthBytes: 64 * KIB, bytesPerSecond: 25_000_000 };

// one after another: the engine's timers are replaced meanwhile
test.serial("130 hosts that know nobody but one host: its link is never idle until all of them are done", async (t) => {
  const swarm = { ...LINK, hosts: 130, lengthBytes: 2_000_000, fromHost: true, neighbours: 0 };
  const { lastByIdeal, seederCopies } = await runLiveSwarm({ ...swarm, random: seededRandom(1) });
  t.log(`last ${lastByIdeal.toFixed(2)} ×, ${seederCopies.toFixed(2)} copies`);
  t.is(seederCopies, 130);
  // 130 × length ÷ rate, and 2 % for beginnings
  t.true(lastByIdeal <= 130 * 1.02, `${lastByIdeal}`);
});

test.serial("100 hosts that know some others each: the seeder of a live torrent sends about one copy, and all are done", async (t) => {
  const swarm = { ...LINK, hosts: 100, lengthBytes: 3_000_000, neighbours: 8 };
  const { lastByIdeal, firstByIdeal, seederCopies } = await runLiveSwarm({ ...swarm, random: seededRandom(2) });
  t.log(`last ${lastByIdeal.toFixed(2)} ×, first ${firstByIdeal.toFixed(2)} ×, ${seederCopies.toFixed(2)} copies`);
  t.true(seederCopies <= 1.1, `${seederCopies}`);
  t.true(lastByIdeal <= 4, `${lastByIdeal}`);
});

test.serial(
  "40 hosts around one that has everything, over slow links: few places at a time, so that pieces are passed on soon",
  async (t) => {
    const swarm = {
      hosts: 40,
      neighbours: 6,
      lengthBytes: 8_000_000,
      pieceLengthBytes: 64 * KIB,
      bytesPerSecond: 1_250_000,
      fromHost: true,
    };
    const { lastByIdeal, seederCopies } = await runLiveSwarm({ ...swarm, random: seededRandom(3) });
    t.log(`last ${lastByIdeal.toFixed(2)} ×, ${seederCopies.toFixed(2)} copies`);
    // 80 places: see the figures in choker.ts
    t.true(lastByIdeal <= 2.8, `${lastByIdeal}`);
  },
);
