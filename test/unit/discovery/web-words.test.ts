import test from "ava";
import type { Announce } from "../../../peer/discovery/announce.ts";
import { announceWords, answerWords, readWebMessage } from "../../../peer/discovery/web-words.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";

const HASH = `${"ab".repeat(19)}00` as InfoHash;
const US = "2d".repeat(20) as PeerId;
const THEM = "ff".repeat(20) as PeerId;
const binary = (hex: string): string => Buffer.from(hex, "hex").toString("latin1");
const ANNOUNCE: Announce = { infoHash: HASH, peerId: US, port: 7, uploaded: 1, downloaded: 2, left: 3, numwant: 50, event: "started" };
const words = (fields: object): string => JSON.stringify({ action: "announce", info_hash: binary(HASH), ...fields });

test("announceWords() says what webtorrent's trackers read, with as many calls as are given", (t) => {
  const said = JSON.parse(announceWords(ANNOUNCE, [{ id: "id", sdp: "v=0" }]));
  t.deepEqual(said, {
    action: "announce",
    info_hash: binary(HASH),
    peer_id: binary(US),
    uploaded: 1,
    downloaded: 2,
    left: 3,
    event: "started",
    numwant: 1,
    offers: [{ offer: { type: "offer", sdp: "v=0" }, offer_id: "id" }],
  });
});

test("answerWords() names whom the answer is for", (t) => {
  const said = JSON.parse(answerWords({ infoHash: HASH, peerId: US, to: THEM, offerId: "id", sdp: "v=0" }));
  t.like(said, { to_peer_id: binary(THEM), offer_id: "id", answer: { type: "answer", sdp: "v=0" } });
});

test("readWebMessage() reads answers to announces, and leaves out what is no figure", (t) => {
  const full = { interval: 120, "min interval": 30, complete: 2, incomplete: -1, "tracker id": "x", "warning message": "soon" };
  t.deepEqual(readWebMessage(words(full)), {
    kind: "answered",
    infoHash: HASH,
    answer: {
      peers: [],
      intervalS: 120,
      minIntervalS: 30,
      seeds: 2,
      leeches: undefined,
      trackerId: "x",
      warning: "soon",
      failure: undefined,
    },
  });
  const refused = readWebMessage(words({ "failure reason": "n".repeat(300) }));
  t.is(refused?.kind === "answered" ? refused.answer.failure?.length : 0, 200);
});

test("readWebMessage() reads calls, and answers to ours", (t) => {
  const call = { peer_id: binary(THEM), offer_id: "id" };
  const from = { infoHash: HASH, peerId: THEM, offerId: "id", sdp: "v=0" };
  t.deepEqual(readWebMessage(words({ ...call, offer: { type: "offer", sdp: "v=0" } })), { kind: "offer", ...from });
  t.deepEqual(readWebMessage(words({ ...call, answer: { type: "answer", sdp: "v=0" } })), { kind: "answer", ...from });
});

test("readWebMessage() passes over what is no message, too long, or of another kind than it says", (t) => {
  const offer = { type: "offer", sdp: "v=0" };
  const call = { peer_id: binary(THEM), offer_id: "id", offer };
  const bad = [
    "",
    "[]",
    "null",
    '"text"',
    "{",
    JSON.stringify({ action: "announce", info_hash: "short", ...call }),
    JSON.stringify({ action: "scrape", info_hash: binary(HASH) }),
    words({ ...call, peer_id: "short" }),
    words({ ...call, peer_id: "ä€".repeat(10) }),
    words({ ...call, offer_id: "i".repeat(81) }),
    words({ ...call, offer_id: 5 }),
    words({ ...call, offer: { ...offer, type: "answer" } }),
    words({ ...call, offer: { ...offer, sdp: "x".repeat(16 * 1024 + 1) } }),
    words({ ...call, offer: "v=0" }),
  ];
  for (const text of bad) t.is(readWebMessage(text), undefined, text.slice(0, 80));
});
