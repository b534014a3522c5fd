import test from "ava";
import fc from "fast-check";
import { readWebMessage } from "../../../../tracker/announce/web-message.ts";

const HASH = "\x01".repeat(20);
const PEER = "\xff".repeat(20);
const OFFER = { offer: { type: "offer", sdp: "v=0" }, offer_id: "o".repeat(20) };
const ANNOUNCE = { action: "announce", info_hash: HASH, peer_id: PEER };
const ANSWER = { ...ANNOUNCE, answer: { type: "answer", sdp: "v=0" }, to_peer_id: PEER, offer_id: "o" };

function read(message: unknown): Record<string, unknown> | undefined {
  const found = readWebMessage(JSON.stringify(message));
  return found && JSON.parse(found.text);
}

test("readWebMessage() passes on what the protocol knows, and nothing else", (t) => {
  const offers = [{ ...OFFER, extra: "x".repeat(100), offer: { ...OFFER.offer, toString: 5 } }];
  t.deepEqual(read({ ...ANNOUNCE, left: 5, event: "started", offers, evil: { a: 1 } }), {
    ...ANNOUNCE,
    left: 5,
    event: "started",
    offers: [OFFER],
  });
  t.deepEqual(read({ ...ANSWER, offers: [OFFER], left: 0 }), ANSWER);
  t.deepEqual(read({ action: "scrape", info_hash: HASH, more: 1 }), { action: "scrape", info_hash: [HASH] });
  t.deepEqual(read({ ...ANNOUNCE, left: "5" }), { ...ANNOUNCE, offers: [] });
});

test("readWebMessage() refuses what is beyond the bounds", (t) => {
  t.is(read({ ...ANNOUNCE, offers: Array(20).fill(OFFER) }) === undefined, false);
  for (const bad of [
    { ...ANNOUNCE, offers: Array(21).fill(OFFER) },
    { ...ANNOUNCE, offers: [{ ...OFFER, offer: { type: "offer", sdp: "x".repeat(16 * 1024 + 1) } }] },
    { ...ANNOUNCE, offers: [{ ...OFFER, offer: { type: "answer", sdp: "" } }] },
    { ...ANNOUNCE, offers: [{ ...OFFER, offer_id: "x".repeat(81) }] },
    { ...ANNOUNCE, offers: [null] },
    { ...ANNOUNCE, offers: { length: 1 } },
    { ...ANNOUNCE, info_hash: "\u0100".repeat(20) },
    { ...ANNOUNCE, peer_id: "short" },
    { ...ANNOUNCE, event: "constructor" },
    { ...ANSWER, to_peer_id: undefined },
    { ...ANSWER, answer: "yes" },
    { action: "scrape", info_hash: Array(101).fill(HASH) },
    { action: "scrape", info_hash: [] },
    { action: "scrape" },
    { action: "connect" },
    [],
    null,
    5,
  ])
    t.is(read(bad), undefined, JSON.stringify(bad)?.slice(0, 80));
  t.is(readWebMessage("{"), undefined);
});

test("readWebMessage() costs by offers and hashes", (t) => {
  t.is(readWebMessage(JSON.stringify({ ...ANNOUNCE, offers: Array(5).fill(OFFER) }))?.cost, 6);
  t.is(readWebMessage(JSON.stringify(ANSWER))?.cost, 1);
  t.is(readWebMessage(JSON.stringify({ action: "scrape", info_hash: Array(100).fill(HASH) }))?.cost, 11);
});

test("readWebMessage() never throws, and what it makes is read the same again", (t) => {
  const anything = fc.record({
    action: fc.oneof(fc.constantFrom("announce", "scrape"), fc.anything()),
    info_hash: fc.oneof(fc.constant(HASH), fc.anything()),
    peer_id: fc.oneof(fc.constant(PEER), fc.anything()),
    offers: fc.oneof(fc.array(fc.oneof(fc.constant(OFFER), fc.anything())), fc.anything()),
    answer: fc.oneof(fc.constant(undefined), fc.anything()),
    left: fc.anything(),
    event: fc.anything(),
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        anything.map((value) => JSON.stringify(value, (_, each) => (typeof each === "bigint" ? 0 : each))),
      ),
      (text) => {
        const message = readWebMessage(text ?? "");
        if (message !== undefined) t.deepEqual(readWebMessage(message.text), message);
      },
    ),
    { numRuns: 500 },
  );
});
