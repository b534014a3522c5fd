import test from "ava";
import fc from "fast-check";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { isOurs } from "../../../torrents/peer-id.ts";
import { type Announce, SwarmStore } from "../../../tracker/swarm-store.ts";

const hash = (digit: string): InfoHash => digit.repeat(40) as InfoHash;
const [LIVE, V1, V2, OTHER] = ["a", "1", "2", "f"].map(hash);
const EXPIRE_MS = 60_000;
const random = (): number => 0.5;

function peerId(style: "-SK0100-" | "-SS0100-" | "-UT3600-", number: number): PeerId {
  return Buffer.from(style + String(number).padStart(12, "0")).toString("hex") as PeerId;
}

/** An announce of peer `number`, each with an address of its own. */
function announce(number: number, infoHash: InfoHash, more: Partial<Announce> & { style?: "-SK0100-" | "-UT3600-" } = {}): Announce {
  const { style = "-SK0100-", ...rest } = more;
  const base = { ip: `10.0.0.${number}`, port: 6881, type: "http", event: "started", left: 1, numwant: 50 };
  return { infoHash, peerId: peerId(style, number), ...base, ...rest };
}

function makeStore(): SwarmStore {
  const store = new SwarmStore({ expireMs: EXPIRE_MS });
  store.join({ live: LIVE, finals: [V1, V2] });
  return store;
}

const idsOf = (answer: { peers: readonly { peerId: PeerId }[] }): PeerId[] => answer.peers.map((peer) => peer.peerId).sort();

test("SwarmStore.announce() leaves out the asker, also under its other addresses", (t) => {
  const store = makeStore();
  t.deepEqual(store.announce(announce(1, LIVE), 0, random).peers, []);
  t.deepEqual(store.announce(announce(1, LIVE, { ip: "192.168.0.1" }), 0, random).peers, []);
  t.deepEqual(store.announce(announce(1, V1), 0, random).peers, []);
  t.is(store.announce(announce(2, LIVE, { ip: "10.0.0.1", port: 7000 }), 0, random).peers.length, 2);
});

test("SwarmStore.announce() hands our peers out in all swarms of the task, whichever they announced", (t) => {
  const store = makeStore();
  for (const [number, infoHash] of [LIVE, V1, V2].entries()) store.announce(announce(number, infoHash), 0, random);
  const all = [0, 1, 2].map((number) => peerId("-SK0100-", number));
  for (const infoHash of [V1, V2]) t.deepEqual(idsOf(store.announce(announce(9, infoHash, { style: "-UT3600-" }), 0, random)), all);
  t.deepEqual(idsOf(store.announce(announce(0, LIVE), 0, random)), all.slice(1));
});

test("SwarmStore.announce() hands standard clients out only in the swarm that they announced", (t) => {
  const store = makeStore();
  store.announce(announce(1, V1, { style: "-UT3600-" }), 0, random);
  const client = peerId("-UT3600-", 1);
  t.deepEqual(idsOf(store.announce(announce(2, V1, { style: "-UT3600-" }), 0, random)), [client]);
  t.deepEqual(idsOf(store.announce(announce(3, V2, { style: "-UT3600-" }), 0, random)), []);
  t.deepEqual(idsOf(store.announce(announce(4, LIVE), 0, random)), []);
});

test("SwarmStore.announce() tells standard clients nothing of the live swarm", (t) => {
  const store = makeStore();
  store.announce(announce(1, LIVE), 0, random);
  t.deepEqual(store.announce(announce(2, LIVE, { style: "-UT3600-" }), 0, random), { complete: 0, incomplete: 0, peers: [] });
});

test("SwarmStore.announce() forgets who was silent too long, and who stopped", (t) => {
  const store = makeStore();
  store.announce(announce(1, LIVE), 0, random);
  store.announce(announce(2, LIVE), 1000, random);
  t.is(store.announce(announce(3, LIVE), EXPIRE_MS, random).peers.length, 2, "exactly the time is not too long");
  t.deepEqual(idsOf(store.announce(announce(3, LIVE), EXPIRE_MS + 1, random)), [peerId("-SK0100-", 2)]);
  t.deepEqual(store.announce(announce(2, LIVE, { event: "stopped" }), EXPIRE_MS + 1, random).peers, [], "who stops wants nobody");
  t.deepEqual(store.counts(LIVE, EXPIRE_MS + 1), { complete: 0, incomplete: 1 });
  t.deepEqual(store.counts(LIVE, 3 * EXPIRE_MS), { complete: 0, incomplete: 0 });
});

test("SwarmStore.announce() keeps a peer alive that announces again, and notes that it is complete", (t) => {
  const store = makeStore();
  for (const nowMs of [0, 50_000, 100_000]) store.announce(announce(1, LIVE, { event: "update" }), nowMs, random);
  t.deepEqual(store.counts(V1, 140_000), { complete: 0, incomplete: 1 });
  store.announce(announce(1, LIVE, { event: "completed" }), 140_000, random);
  t.deepEqual(store.counts(V1, 140_000), { complete: 1, incomplete: 0 });
  t.like(store.announce(announce(2, V2, { style: "-UT3600-", left: 0 }), 140_000, random), { complete: 2, incomplete: 0 });
});

test("SwarmStore.announce() counts a peer that was started anew at its old address once", (t) => {
  const store = makeStore();
  store.announce(announce(1, LIVE), 0, random);
  store.announce(announce(7, LIVE, { ip: "10.0.0.1" }), 1, random);
  t.deepEqual(idsOf(store.announce(announce(2, LIVE), 1, random)), [peerId("-SK0100-", 7)]);
});

for (const [numwant, count] of [
  [0, 0],
  [5, 5],
  [1000, 80],
  [-1, 80],
  [-1000, 80],
] as const) {
  test(`SwarmStore.announce() hands out ${count} of 100 peers to who wants ${numwant}`, (t) => {
    const store = makeStore();
    for (let number = 0; number < 100; number++) store.announce(announce(number, LIVE), 0, random);
    const { peers } = store.announce(announce(200, LIVE, { numwant }), 0, random);
    t.is(peers.length, count);
    t.is(new Set(peers).size, count);
  });
}

test("SwarmStore.announce() hands out every peer as often as any other", (t) => {
  const store = makeStore();
  for (let number = 0; number < 10; number++) store.announce(announce(number, LIVE), 0, random);
  const counts = new Map<PeerId, number>();
  let state = 42;
  const seeded = (): number => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  for (let turn = 0; turn < 1000; turn++) {
    for (const { peerId: id } of store.announce(announce(99, LIVE, { numwant: 3 }), 0, seeded).peers)
      counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  // 1000 × 3 ÷ 10 = 300 each; six standard deviations: 6 × √(1000 × 0.3 × 0.7) = 87
  t.is(counts.size, 10);
  for (const count of counts.values()) t.true(Math.abs(count - 300) < 87, [...counts.values()].join(" "));
});

test("SwarmStore hands browsers out to browsers only, and reaches one that came back on its new socket", (t) => {
  const store = makeStore();
  const web = (number: number, socket: string) => announce(number, V1, { style: "-UT3600-", type: "ws", ip: "10.0.0.1", port: 0, socket });
  store.announce(announce(1, V1, { style: "-UT3600-" }), 0, random);
  store.announce(web(2, "old"), 0, random);
  t.deepEqual(idsOf(store.announce(web(3, "other"), 0, random)), [peerId("-UT3600-", 2)]);
  t.deepEqual(idsOf(store.announce(announce(4, V1, { style: "-UT3600-" }), 0, random)), [peerId("-UT3600-", 1)]);
  store.announce(web(2, "new"), 1, random);
  t.is(store.webPeer(V1, peerId("-UT3600-", 2))?.socket, "new");
  t.is(store.webPeer(V1, peerId("-UT3600-", 1)), undefined);
});

test("SwarmStore.join() takes in the peers of swarms that ran alone, and remove() forgets all of a task", (t) => {
  const store = new SwarmStore({ expireMs: EXPIRE_MS });
  store.join({ finals: [V1] });
  store.announce(announce(1, V1, { style: "-UT3600-" }), 0, random);
  store.join({ finals: [OTHER] });
  store.join({ live: LIVE, finals: [] });
  store.announce(announce(2, LIVE), 0, random);
  store.join({ live: LIVE, finals: [V1, V2] });
  t.deepEqual(store.counts(V1, 0), { complete: 0, incomplete: 2 });
  store.remove(V2);
  for (const infoHash of [LIVE, V1, V2]) t.false(store.has(infoHash));
  t.true(store.has(OTHER));
  t.is(store.size, 1);
});

test("SwarmStore.announce() in an unknown swarm changes nothing", (t) => {
  const store = makeStore();
  t.deepEqual(store.announce(announce(1, OTHER), 0, random), { complete: 0, incomplete: 0, peers: [] });
  t.is(store.size, 3);
});

test("SwarmStore.announce(): the asker is in no answer, nobody is in it twice, and no swarm leaks into another", (t) => {
  const anyAnnounce = fc.record({
    number: fc.nat(8),
    infoHash: fc.constantFrom(LIVE, V1, V2),
    style: fc.constantFrom("-SK0100-" as const, "-UT3600-" as const),
    event: fc.constantFrom("started", "update", "completed", "stopped"),
    type: fc.constantFrom("http", "udp", "ws"),
    port: fc.integer({ min: 1, max: 3 }),
    numwant: fc.integer({ min: -5, max: 100 }),
    waitMs: fc.nat(30_000),
  });
  fc.assert(
    fc.property(fc.array(anyAnnounce, { maxLength: 60 }), fc.nat(999), (announces, chance) => {
      const store = makeStore();
      let nowMs = 0;
      for (const { number, infoHash, waitMs, ...rest } of announces) {
        nowMs += waitMs;
        const asked = announce(number, infoHash, rest);
        const { peers, complete, incomplete } = store.announce(asked, nowMs, () => chance / 1000);
        t.true(peers.length <= (asked.numwant < 0 ? 80 : asked.numwant));
        t.is(new Set(peers).size, peers.length);
        t.true(complete + incomplete >= peers.length);
        for (const peer of peers) {
          t.not(peer.peerId, asked.peerId);
          t.true(nowMs - peer.lastSeenMs <= EXPIRE_MS);
          t.true(isOurs(peer.peerId) || peer.infoHash === infoHash);
          t.true(isOurs(asked.peerId) || infoHash !== LIVE);
          t.is(peer.type === "ws", asked.type === "ws");
        }
      }
    }),
    { numRuns: 300 },
  );
});
