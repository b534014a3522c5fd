/** BEP 52 hash messages between two torrents: a magnet's leech gets the layer, a liar is found out, floods are bounded. */
import { randomBytes } from "node:crypto";
import test from "ava";
import { HashExchange } from "../../../peer/engine/hash-exchange.ts";
import { LayerStore } from "../../../peer/engine/layer-store.ts";
import type { PeerLink } from "../../../peer/engine/peer-link.ts";
import { encodeHashMessage, type HashRange, parseHashMessage } from "../../../peer/engine/wire/hash-messages.ts";
import { MESSAGE } from "../../../peer/engine/wire/messages.ts";
import { geometryOf } from "../../../torrents/geometry.ts";
import { piecesRoot } from "../../../torrents/merkle.ts";
import { refuses } from "../torrents/refuses.ts";

const PIECE_BYTES = 65536;
const HASH_BYTES = 32;

/** A v2 file's layer, known or not. */
function side(layer: Buffer, known: boolean) {
  const geometry = geometryOf({ lengthBytes: (layer.length / HASH_BYTES) * PIECE_BYTES, pieceLengthBytes: PIECE_BYTES });
  const own = Buffer.alloc(layer.length);
  const has = new Set<number>();
  const keeper = {
    hasRoot: (index: number) => has.has(index),
    rootOf: (index: number) => own.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES),
    learn: (first: number, hashes: Buffer) => {
      hashes.copy(own, first * HASH_BYTES);
      for (let at = 0; at < hashes.length / HASH_BYTES; at++) has.add(first + at);
    },
  };
  const layers = new LayerStore([{ piecesRoot: piecesRoot(layer, geometry), firstPiece: 0, geometry }], keeper);
  if (known) keeper.learn(0, layer);
  return { layers, own, exchange: new HashExchange({ layers }, () => true) };
}

/** A link that only keeps what is sent to it. */
function fakeLink(): { link: PeerLink; sent: Buffer[] } {
  const sent: Buffer[] = [];
  const link = { connection: { closed: false, send: (message: Buffer) => void sent.push(message) } } as unknown as PeerLink;
  return { link, sent };
}

/** Carries messages over until nobody says anything more. */
function talk(a: { exchange: HashExchange; at: ReturnType<typeof fakeLink> }, b: typeof a): void {
  for (let turn = 0; turn < 1000 && a.at.sent.length + b.at.sent.length > 0; turn++) {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ])
      for (const message of from.at.sent.splice(0)) to.exchange.onMessage(to.at.link, { id: message[4], payload: message.subarray(5) }, 0);
  }
}

for (const pieces of [2, 3, 500, 513, 1700]) {
  test(`HashExchange brings the layer of a file of ${pieces} pieces over`, (t) => {
    const layer = randomBytes(pieces * HASH_BYTES);
    const seed = { ...side(layer, true), at: fakeLink() };
    const leech = { ...side(layer, false), at: fakeLink() };
    leech.exchange.tick([leech.at.link], 0);
    talk(leech, seed);
    t.true(leech.own.equals(layer));
    t.deepEqual(leech.layers.missing, []);
  });
}

test("HashExchange refuses hashes that do not lead to the root, and asks another peer", (t) => {
  const layer = randomBytes(20 * HASH_BYTES);
  const leech = side(layer, false);
  const liar = fakeLink();
  leech.exchange.tick([liar.link], 0);
  const { range } = parseHashMessage(MESSAGE.hashRequest, liar.sent[0].subarray(5));
  const lie = encodeHashMessage(MESSAGE.hashes, range, randomBytes(32 * HASH_BYTES)).subarray(5);
  refuses(t, () => leech.exchange.onMessage(liar.link, { id: MESSAGE.hashes, payload: lie }, 0));
  leech.exchange.onGone(liar.link);
  const honest = { exchange: leech.exchange, at: fakeLink() };
  leech.exchange.tick([honest.at.link], 1);
  talk(honest, { ...side(layer, true), at: fakeLink() });
  t.true(leech.own.equals(layer));
});

test("HashExchange goes to another peer after a refusal, and after silence", (t) => {
  const leech = side(randomBytes(20 * HASH_BYTES), false);
  const [refuser, silent, third] = [fakeLink(), fakeLink(), fakeLink()];
  leech.exchange.tick([refuser.link], 0);
  const { range } = parseHashMessage(MESSAGE.hashRequest, refuser.sent[0].subarray(5));
  leech.exchange.onMessage(refuser.link, { id: MESSAGE.hashReject, payload: encodeHashMessage(MESSAGE.hashReject, range).subarray(5) }, 0);
  leech.exchange.tick([refuser.link, silent.link], 1);
  t.is(refuser.sent.length, 1, "not asked again");
  t.is(silent.sent.length, 1);
  leech.exchange.tick([silent.link, third.link], 9_000);
  t.is(third.sent.length, 0);
  leech.exchange.tick([silent.link, third.link], 11_000);
  t.is(third.sent.length, 1);
});

test("HashExchange rejects what it does not have or must not give, and bounds its answers", (t) => {
  const layer = randomBytes(20 * HASH_BYTES);
  const seed = side(layer, true);
  const geometry = geometryOf({ lengthBytes: 20 * PIECE_BYTES, pieceLengthBytes: PIECE_BYTES });
  const good: HashRange = { root: piecesRoot(layer, geometry), base: 2, index: 0, length: 32, proofs: 4 };
  const ask = (range: HashRange, link = fakeLink()): number => {
    seed.exchange.onMessage(link.link, { id: MESSAGE.hashRequest, payload: encodeHashMessage(MESSAGE.hashRequest, range).subarray(5) }, 0);
    return link.sent[0][4];
  };
  t.is(ask(good), MESSAGE.hashes);
  const bad = [
    { root: Buffer.alloc(32) },
    { base: 0 },
    { base: 40 },
    { index: 16 },
    { index: 2 ** 32 - 32 },
    { length: 64 },
    { length: 2 ** 31 },
    { length: 0 },
    { proofs: 2 ** 32 - 1 },
  ];
  for (const change of bad) t.is(ask({ ...good, ...change }), MESSAGE.hashReject, JSON.stringify(change));
  const flooder = fakeLink();
  const request = encodeHashMessage(MESSAGE.hashRequest, good).subarray(5);
  for (let at = 0; at < 5000; at++) seed.exchange.onMessage(flooder.link, { id: MESSAGE.hashRequest, payload: request }, 0);
  t.is(flooder.sent.filter((message) => message[4] === MESSAGE.hashes).length, 2000);
});

test("HashExchange asks for the layer of equal files once", (t) => {
  const geometry = geometryOf({ lengthBytes: 2 * PIECE_BYTES, pieceLengthBytes: PIECE_BYTES });
  const root = piecesRoot(randomBytes(2 * HASH_BYTES), geometry);
  const files = [0, 2, 4].map((firstPiece) => ({ piecesRoot: root, firstPiece, geometry }));
  const layers = new LayerStore(files, { hasRoot: () => false, rootOf: () => Buffer.alloc(HASH_BYTES), learn: () => undefined });
  const { link, sent } = fakeLink();
  new HashExchange({ layers }, () => true).tick([link], 0);
  t.is(sent.length, 1);
});

test("HashExchange builds trees for answers within a budget of hashes, whoever asks", (t) => {
  const pieceCount = 2 ** 17;
  const geometry = geometryOf({ lengthBytes: pieceCount * PIECE_BYTES, pieceLengthBytes: PIECE_BYTES });
  const layer = Buffer.alloc(pieceCount * HASH_BYTES);
  // the roots are not looked at when hashes are given
  const files = Array.from({ length: 4 }, (_, at) => ({ piecesRoot: Buffer.alloc(HASH_BYTES, at), firstPiece: 0, geometry }));
  const keeper = { hasRoot: () => true, rootOf: (index: number) => layer.subarray(index * 32, (index + 1) * 32), learn: () => undefined };
  const exchange = new HashExchange({ layers: new LayerStore(files, keeper) }, () => true);
  const ask = (at: number, nowMs: number): number => {
    const { link, sent } = fakeLink();
    const range = { root: files[at].piecesRoot, base: 2, index: 0, length: 512, proofs: 16 };
    exchange.onMessage(link, { id: MESSAGE.hashRequest, payload: encodeHashMessage(MESSAGE.hashRequest, range).subarray(5) }, nowMs);
    return sent[0][4];
  };
  const { hashes, hashReject } = MESSAGE;
  t.deepEqual([ask(0, 0), ask(1, 0), ask(2, 0), ask(3, 0)], [hashes, hashes, hashReject, hashReject]);
  t.deepEqual([ask(0, 0), ask(1, 0)], [hashes, hashes], "what is built costs nothing");
  t.deepEqual([ask(2, 10_000), ask(3, 10_000)], [hashes, hashReject], "and more later");
});

test("HashExchange ends a connection that keeps sending hashes nobody asked for, and malformed ones at once", (t) => {
  const leech = side(randomBytes(20 * HASH_BYTES), false);
  const { link } = fakeLink();
  const range = { root: Buffer.alloc(32), base: 2, index: 0, length: 2, proofs: 0 };
  const payload = encodeHashMessage(MESSAGE.hashes, range, Buffer.alloc(64)).subarray(5);
  refuses(t, () => {
    for (let at = 0; at < 100; at++) leech.exchange.onMessage(link, { id: MESSAGE.hashes, payload }, 0);
  });
  for (const length of [0, 47, 49, 48 + 33, 48 + 600 * 32])
    refuses(t, () => leech.exchange.onMessage(link, { id: MESSAGE.hashes, payload: Buffer.alloc(length) }, 0));
  refuses(t, () => leech.exchange.onMessage(link, { id: MESSAGE.hashRequest, payload }, 0));
});
