import test from "ava";
import { makePeerId } from "../../../../torrents/peer-id.ts";
import { WebPeers } from "../../../../tracker/swarm/web-peers.ts";

const random = (): number => 0.5;

function makePeers(leeches: number, seeds: number): WebPeers {
  const peers = new WebPeers({ expireMs: () => 60_000 });
  for (let number = 0; number < leeches; number++) peers.set({ peerId: `leech ${number}`, socket: {}, complete: false, seenMs: 0 });
  for (let number = 0; number < seeds; number++) peers.set({ peerId: `seed ${number}`, socket: {}, complete: true, seenMs: 0 });
  return peers;
}

test("WebPeers.sample() names one who is complete to who is not, however many others there are", (t) => {
  const sample = makePeers(100, 1).sample({ peerId: "leech 0", complete: false }, 5, random);
  t.is(sample.length, 5);
  t.is(new Set(sample.map(({ peerId }) => peerId)).size, 5);
  t.true(sample.some(({ complete }) => complete));
  t.false(sample.some(({ peerId }) => peerId === "leech 0"));
});

test("WebPeers.sample() names nobody who is complete to who is", (t) => {
  const sample = makePeers(2, 5).sample({ peerId: "seed 0", complete: true }, 10, random);
  t.deepEqual(sample.map(({ peerId }) => peerId).sort(), ["leech 0", "leech 1"]);
  t.deepEqual(makePeers(0, 3).sample({ peerId: "seed 0", complete: true }, 10, random), []);
  t.deepEqual(makePeers(3, 1).sample({ peerId: "leech 0", complete: false }, 0, random), []);
});

test("WebPeers.counts() leaves out seeders' WebRTC sides, which are in the swarm as seeders", (t) => {
  const peers = makePeers(2, 1);
  peers.set({ peerId: makePeerId("seeder", Buffer.alloc(20)), socket: {}, complete: true, seenMs: 0 });
  t.deepEqual(peers.counts(0), { complete: 1, incomplete: 2 });
  t.deepEqual(peers.counts(60_001), { complete: 0, incomplete: 0 });
});
