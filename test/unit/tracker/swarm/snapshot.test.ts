import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import type { InfoHash, PeerId } from "../../../../torrents/ids.ts";
import { EVENT, makeAsk } from "../../../../tracker/swarm/ask.ts";
import { PeerTable } from "../../../../tracker/swarm/peer-table.ts";
import { encodeGroup, encodeHead, restoreSwarms } from "../../../../tracker/swarm/swarm-snapshot.ts";
import { SwarmStore } from "../../../../tracker/swarm/swarm-store.ts";
import { TaskJournal } from "../../../../tracker/task-journal.ts";
import { temporaryFolder } from "../../../support/folders.ts";

const [LIVE, V1, OTHER] = ["a", "1", "f"].map((digit) => digit.repeat(40) as InfoHash);
const EXPIRE_MS = 60_000;

function ask(number: number, infoHash: InfoHash, more: { left?: number; ours?: boolean; ip?: string; event?: number } = {}) {
  const { left = 1, ours = true, ip = `10.0.0.${number}`, event } = more;
  const peerId = Buffer.from(`${ours ? "-SK0100-" : "-UT3600-"}${String(number).padStart(12, "0")}`).toString("hex") as PeerId;
  const made = makeAsk({ infoHash, peerId, ip, port: 6881, left, event });
  if (made === undefined) throw new Error(`${ip} is no address`);
  return made;
}

function makeStore(): SwarmStore {
  return new SwarmStore({ expireMs: () => EXPIRE_MS });
}

function snapshotOf(store: SwarmStore, nowMs: number): Buffer {
  const groups = [...store.groups()].map((group) => encodeGroup(group, nowMs)).filter((bytes) => bytes !== undefined);
  return Buffer.concat([encodeHead(store.sites), ...groups]);
}

test("restoreSwarms() brings everybody back who is not silent for too long, in the swarms that are known", (t) => {
  const before = makeStore();
  before.join({ live: LIVE, finals: [V1] });
  before.join({ finals: [OTHER] });
  before.announce(ask(1, LIVE), 0, () => 0);
  before.announce(ask(2, V1, { left: 0, ours: false }), 10_000, () => 0);
  before.announce(ask(3, LIVE, { ip: "2001:db8::3", event: EVENT.paused }), 20_000, () => 0);
  before.announce(ask(4, OTHER), 20_000, () => 0);
  const bytes = snapshotOf(before, 30_000);
  const after = makeStore();
  after.join({ live: LIVE, finals: [V1] });
  // peer 1 was silent for 30 s before and 31 s of absence
  t.is(restoreSwarms(bytes, after, { nowMs: 1000, awayMs: 31_000, expireMs: EXPIRE_MS, open: false }), 2);
  t.deepEqual(after.counts(V1, 1000), { complete: 1, incomplete: 1 });
  t.deepEqual(after.counts(LIVE, 1000), { complete: 0, incomplete: 1 });
  t.false(after.has(OTHER));
  t.is(after.counts(V1, 1000 + 9000).complete, 1);
  t.is(after.counts(V1, 1000 + 9001).complete, 0, "51 s of silence and 9 s more: then its time is over");
  const open = makeStore();
  t.is(restoreSwarms(bytes, open, { nowMs: 0, awayMs: 0, expireMs: EXPIRE_MS, open: true }), 4);
  t.true(open.has(OTHER));
});

test("restoreSwarms() brings labels and spare upload back, under the numbers that the new store has for them", (t) => {
  const before = makeStore();
  before.join({ live: LIVE, finals: [] });
  const near = before.sites.numberOf({ idc: "fra1", location: ["eu", "de"] });
  const far = before.sites.numberOf({ idc: "", location: ["us"] });
  for (const [number, site] of [
    [1, near],
    [2, far],
    [3, 0],
  ]) {
    const one = ask(number, LIVE);
    Object.assign(one, { site, spare: number * 10 });
    before.announce(one, 0, () => 0);
  }
  const after = makeStore();
  after.join({ live: LIVE, finals: [] });
  after.sites.numberOf({ idc: "ams", location: [] });
  t.is(restoreSwarms(snapshotOf(before, 0), after, { nowMs: 0, awayMs: 0, expireMs: EXPIRE_MS, open: false }), 3);
  const { table } = after.find(ask(1, LIVE).infoHash)?.group ?? t.fail();
  const restored = [0, 1, 2].map((record) => ({ ...after.sites.site(table.site(record)), spare: table.spare(record) }));
  t.deepEqual(restored, [
    { idc: "fra1", location: ["eu", "de"], spare: 10 },
    { idc: "", location: ["us"], spare: 20 },
    { idc: "", location: [], spare: 30 },
  ]);
});

test("restoreSwarms() leaves alone who announced again meanwhile, and takes damaged bytes as far as they go", (t) => {
  const before = makeStore();
  before.join({ live: LIVE, finals: [] });
  for (let number = 1; number < 9; number++) before.announce(ask(number, LIVE), 0, () => 0);
  const bytes = snapshotOf(before, 0);
  const after = makeStore();
  after.join({ live: LIVE, finals: [] });
  after.announce(ask(1, LIVE, { left: 0 }), 5, () => 0);
  t.is(restoreSwarms(bytes, after, { nowMs: 5, awayMs: 5, expireMs: EXPIRE_MS, open: false }), 7);
  t.is(after.counts(LIVE, 5).complete, 1);
  fc.assert(
    fc.property(fc.nat(bytes.length), fc.uint8Array({ maxLength: 60 }), (cut, tail) => {
      const damaged = Buffer.concat([bytes.subarray(0, cut), tail]);
      const restored = restoreSwarms(damaged, makeStore(), { nowMs: 0, awayMs: 0, expireMs: EXPIRE_MS, open: true });
      t.true(restored <= 8 + 60);
    }),
  );
});

test("PeerTable: after any additions, announces and removals each peer is found, and the list is in the order of announces", (t) => {
  const step = fc.record({ number: fc.nat(40), act: fc.constantFrom("add", "touch", "remove") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const table = new PeerTable(7);
      let expected: number[] = [];
      for (const [nowMs, { number, act }] of steps.entries()) {
        const one = ask(number, LIVE);
        const record = table.find(one, 0);
        t.is(record >= 0, expected.includes(number));
        if (act === "remove" && record >= 0) table.remove(record);
        else if (act === "touch" && record >= 0) table.touch(record, nowMs);
        else if (act === "add" && record < 0) table.setPeerId(table.add(one, 0, nowMs), one.peerId);
        else continue;
        expected = expected.filter((other) => other !== number);
        if (act !== "remove") expected.push(number);
      }
      const listed: string[] = [];
      for (let record = table.oldest; record >= 0; record = table.newer(record)) listed.push(table.peerId(record).toString());
      t.deepEqual(
        listed,
        expected.map((number) => ask(number, LIVE).peerId.toString()),
      );
      t.is(table.count, expected.length);
    }),
    { numRuns: 300 },
  );
});

test("TaskJournal keeps what was noted over a rotation that was not finished, and passes over a broken last line", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "tasks.journal");
  const journal = new TaskJournal(path);
  journal.append({ at: 1 });
  await journal.rotate();
  journal.append({ at: 2 });
  await appendFile(path, '{"at": 3');
  t.deepEqual(await journal.read(), [{ at: 1 }, { at: 2 }]);
  await journal.drop();
  t.deepEqual(await journal.read(), [{ at: 2 }]);
  t.is((await readFile(path, "utf8")).split("\n").length, 2);
});
