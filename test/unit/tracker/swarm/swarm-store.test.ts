import test from "ava";
import fc from "fast-check";
import type { InfoHash, PeerId } from "../../../../torrents/ids.ts";
import { isOurs } from "../../../../torrents/peer-id.ts";
import { addressText } from "../../../../tracker/swarm/address-bytes.ts";
import { type AskFields, EVENT, hashKey, makeAsk } from "../../../../tracker/swarm/ask.ts";
import { FLAG } from "../../../../tracker/swarm/peer-table.ts";
import { SwarmStore } from "../../../../tracker/swarm/swarm-store.ts";

const hash = (digit: string): InfoHash => digit.repeat(40) as InfoHash;
const [LIVE, V1, V2, OTHER] = ["a", "1", "2", "f"].map(hash);
const EXPIRE_MS = 60_000;
const random = (): number => 0.5;

function peerId(style: "-SK0100-" | "-SS0100-" | "-UT3600-", number: number): PeerId {
  return Buffer.from(style + String(number).padStart(12, "0")).toString("hex") as PeerId;
}

type Event = keyof typeof EVENT;
type Wish = Omit<AskFields, "event" | "numwant"> & { readonly event: Event; readonly numwant: number };

/** An announce of peer `number`, each with an address of its own. */
function announce(number: number, infoHash: InfoHash, more: Partial<Wish> & { style?: "-SK0100-" | "-UT3600-" } = {}): Wish {
  const { style = "-SK0100-", ...rest } = more;
  const base = { ip: `10.0.0.${number}`, port: 6881, event: "started" as Event, left: 1, numwant: 50 };
  return { infoHash, peerId: peerId(style, number), ...base, ...rest };
}

/** The store with announces and answers as objects. */
class TestStore extends SwarmStore {
  tell(wish: Wish, nowMs: number, chance: () => number) {
    const ask = makeAsk({ ...wish, event: EVENT[wish.event] });
    if (ask === undefined) throw new Error(`${wish.ip} is no address`);
    const answer = this.announce(ask, nowMs, chance);
    if (answer === undefined) return undefined;
    const { complete, incomplete, table, picked, pickedCount } = answer;
    const peers = [...picked.subarray(0, pickedCount)].map((record) => ({
      peerId: table.peerId(record).toString("hex") as PeerId,
      address: `${addressText(table.bytes, table.addressAt(record), (table.flags(record) & FLAG.v6) !== 0)} ${table.port(record)}`,
      lastSeenMs: table.seenMs(record),
      infoHash: this.find(hashKey(wish.infoHash))?.group.swarms[table.scope(record) - 1]?.key,
    }));
    return { complete, incomplete, peers };
  }

  answer(wish: Wish, nowMs: number, chance: () => number) {
    const answer = this.tell(wish, nowMs, chance);
    if (answer === undefined) throw new Error("no such swarm");
    return answer;
  }
}

function makeStore(): TestStore {
  const store = new TestStore({ expireMs: () => EXPIRE_MS });
  store.join({ live: LIVE, finals: [V1, V2] });
  return store;
}

const idsOf = (answer: { peers: readonly { peerId: PeerId }[] }): PeerId[] => answer.peers.map((peer) => peer.peerId).sort();

test("SwarmStore.announce() leaves out the asker, also under its other addresses", (t) => {
  const store = makeStore();
  t.deepEqual(store.answer(announce(1, LIVE), 0, random).peers, []);
  t.deepEqual(store.answer(announce(1, LIVE, { ip: "192.168.0.1" }), 0, random).peers, []);
  t.deepEqual(store.answer(announce(1, V1), 0, random).peers, []);
  t.is(store.answer(announce(2, LIVE, { ip: "10.0.0.1", port: 7000 }), 0, random).peers.length, 2);
});

test("SwarmStore.announce() hands our peers out in all swarms of the task, whichever they announced", (t) => {
  const store = makeStore();
  for (const [number, infoHash] of [LIVE, V1, V2].entries()) store.answer(announce(number, infoHash), 0, random);
  const all = [0, 1, 2].map((number) => peerId("-SK0100-", number));
  for (const infoHash of [V1, V2]) t.deepEqual(idsOf(store.answer(announce(9, infoHash, { style: "-UT3600-" }), 0, random)), all);
  t.deepEqual(idsOf(store.answer(announce(0, LIVE), 0, random)), all.slice(1));
});

test("SwarmStore.announce() hands standard clients out only in the swarm that they announced", (t) => {
  const store = makeStore();
  store.answer(announce(1, V1, { style: "-UT3600-" }), 0, random);
  const client = peerId("-UT3600-", 1);
  t.deepEqual(idsOf(store.answer(announce(2, V1, { style: "-UT3600-" }), 0, random)), [client]);
  t.deepEqual(idsOf(store.answer(announce(3, V2, { style: "-UT3600-" }), 0, random)), []);
  t.deepEqual(idsOf(store.answer(announce(4, LIVE), 0, random)), []);
});

test("SwarmStore.announce() tells standard clients nothing of the live swarm", (t) => {
  const store = makeStore();
  store.answer(announce(1, LIVE), 0, random);
  t.deepEqual(store.answer(announce(2, LIVE, { style: "-UT3600-" }), 0, random), { complete: 0, incomplete: 0, peers: [] });
});

test("SwarmStore.announce() forgets who was silent too long, and who stopped", (t) => {
  const store = makeStore();
  store.answer(announce(1, LIVE), 0, random);
  store.answer(announce(2, LIVE), 1000, random);
  t.is(store.answer(announce(3, LIVE), EXPIRE_MS, random).peers.length, 2, "exactly the time is not too long");
  t.deepEqual(idsOf(store.answer(announce(3, LIVE), EXPIRE_MS + 1, random)), [peerId("-SK0100-", 2)]);
  t.deepEqual(store.answer(announce(2, LIVE, { event: "stopped" }), EXPIRE_MS + 1, random).peers, [], "who stops wants nobody");
  t.deepEqual(store.counts(LIVE, EXPIRE_MS + 1), { complete: 0, incomplete: 1 });
  t.deepEqual(store.counts(LIVE, 3 * EXPIRE_MS), { complete: 0, incomplete: 0 });
});

test("SwarmStore.announce() keeps a peer alive that announces again, and notes that it is complete", (t) => {
  const store = makeStore();
  for (const nowMs of [0, 50_000, 100_000]) store.answer(announce(1, LIVE, { event: "none" }), nowMs, random);
  t.deepEqual(store.counts(V1, 140_000), { complete: 0, incomplete: 1 });
  store.answer(announce(1, LIVE, { event: "completed" }), 140_000, random);
  t.deepEqual(store.counts(V1, 140_000), { complete: 1, incomplete: 0 });
  t.like(store.answer(announce(2, V2, { style: "-UT3600-", left: 0 }), 140_000, random), { complete: 2, incomplete: 0 });
});

test("SwarmStore.announce() counts a peer that was started anew at its old address once", (t) => {
  const store = makeStore();
  store.answer(announce(1, LIVE), 0, random);
  store.answer(announce(7, LIVE, { ip: "10.0.0.1" }), 1, random);
  t.deepEqual(idsOf(store.answer(announce(2, LIVE), 1, random)), [peerId("-SK0100-", 7)]);
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
    for (let number = 0; number < 100; number++) store.answer(announce(number, LIVE), 0, random);
    const { peers } = store.answer(announce(200, LIVE, { numwant }), 0, random);
    t.is(peers.length, count);
    t.is(new Set(peers.map(({ address }) => address)).size, count);
  });
}

test("SwarmStore.announce() hands out every peer as often as any other", (t) => {
  const store = makeStore();
  for (let number = 0; number < 10; number++) store.answer(announce(number, LIVE), 0, random);
  const counts = new Map<PeerId, number>();
  let state = 42;
  const seeded = (): number => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  for (let turn = 0; turn < 1000; turn++) {
    for (const { peerId: id } of store.answer(announce(99, LIVE, { numwant: 3 }), 0, seeded).peers)
      counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  // 1000 × 3 ÷ 10 = 300 each; six standard deviations: 6 × √(1000 × 0.3 × 0.7) = 87
  t.is(counts.size, 10);
  for (const count of counts.values()) t.true(Math.abs(count - 300) < 87, [...counts.values()].join(" "));
});

test("SwarmStore.announce() fills a standard client's answer, whatever share of the task's peers is in another swarm", (t) => {
  const store = makeStore();
  for (let number = 1; number <= 1000; number++) {
    const infoHash = number % 10 === 0 ? V1 : V2;
    store.answer(announce(number, infoHash, { style: "-UT3600-", ip: `10.0.${number >> 8}.${number & 255}` }), 0, random);
  }
  for (const chance of [0, 0.25, 0.5, 0.999]) {
    const asker = announce(2000, V1, { style: "-UT3600-", ip: "10.1.0.1" });
    const ids = new Set(idsOf(store.answer(asker, 0, () => chance)));
    t.is(ids.size, 50);
    t.true([...ids].every((id) => Number(Buffer.from(id, "hex").toString().slice(-12)) % 10 === 0));
  }
});

test("SwarmStore hands browsers out to browsers only, and reaches one that came back on its new socket", (t) => {
  const store = makeStore();
  const web = (number: number, socket: string) =>
    store.announceWeb(V1, { peerId: peerId("-UT3600-", number), event: "started", left: 1, numwant: 10, socket }, { nowMs: 0, random });
  store.answer(announce(1, V1, { style: "-UT3600-" }), 0, random);
  web(2, "old");
  const other = web(3, "other");
  t.deepEqual(idsOf({ peers: other.peers as never }), [peerId("-UT3600-", 2)]);
  t.is(other.incomplete, 3);
  t.deepEqual(idsOf(store.answer(announce(4, V1, { style: "-UT3600-" }), 0, random)), [peerId("-UT3600-", 1)]);
  web(2, "new");
  t.is(store.webPeer(V1, peerId("-UT3600-", 2))?.socket, "new");
  t.is(store.webPeer(V1, peerId("-UT3600-", 1)), undefined);
});

test("SwarmStore.join() takes in the peers of swarms that ran alone, and remove() forgets all of a task", (t) => {
  const store = new TestStore({ expireMs: () => EXPIRE_MS });
  store.join({ finals: [V1] });
  store.answer(announce(1, V1, { style: "-UT3600-" }), 0, random);
  store.join({ finals: [OTHER] });
  store.join({ live: LIVE, finals: [] });
  store.answer(announce(2, LIVE), 0, random);
  store.join({ live: LIVE, finals: [V1, V2] });
  t.deepEqual(store.counts(V1, 0), { complete: 0, incomplete: 2 });
  store.remove(V2);
  for (const infoHash of [LIVE, V1, V2]) t.false(store.has(infoHash));
  t.true(store.has(OTHER));
  t.is(store.size, 1);
});

test("SwarmStore.announce() in an unknown swarm changes nothing", (t) => {
  const store = makeStore();
  t.is(store.tell(announce(1, OTHER), 0, random), undefined);
  t.is(store.size, 3);
});

test("SwarmStore.announce(): the asker is in no answer, nobody is in it twice, and no swarm leaks into another", (t) => {
  const anyAnnounce = fc.record({
    number: fc.nat(8),
    infoHash: fc.constantFrom(LIVE, V1, V2),
    style: fc.constantFrom("-SK0100-" as const, "-UT3600-" as const),
    event: fc.constantFrom<Event>("started", "none", "completed", "stopped", "paused"),
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
        const { peers, complete, incomplete } = store.answer(asked, nowMs, () => chance / 1000);
        t.true(peers.length <= (asked.numwant < 0 ? 80 : asked.numwant));
        t.is(new Set(peers.map(({ address, peerId: id }) => address + id)).size, peers.length);
        t.true(complete + incomplete >= peers.length);
        for (const peer of peers) {
          t.not(peer.peerId, asked.peerId);
          t.true(nowMs - peer.lastSeenMs <= EXPIRE_MS);
          t.true(isOurs(peer.peerId) || peer.infoHash === hashKey(infoHash));
          t.true(isOurs(asked.peerId) || infoHash !== LIVE);
        }
      }
    }),
    { numRuns: 300 },
  );
});
