/** What announces say and when: interval rules, HTTP and UDP words, tiers. */
import test from "ava";
import fc from "fast-check";
import {
  MAX_INTERVAL_MS,
  MIN_INTERVAL_MS,
  nextAnnounceMs,
  retryDelayMs,
  STARVING_INTERVAL_MS,
  spareShare,
} from "../../../peer/discovery/announce-plan.ts";
import { announceUrl, parseAnnounceAnswer } from "../../../peer/discovery/announce-query.ts";
import { shownTracker } from "../../../peer/discovery/shown-tracker.ts";
import { PLAIN_SCHEMES } from "../../../peer/discovery/tracker-scheme.ts";
import {
  areAt,
  areWebOnly,
  needsWebrtc,
  type TrackerState,
  TrackerTiers,
  trackersOver,
  webSidesOf,
  withoutTwins,
} from "../../../peer/discovery/tracker-tiers.ts";
import { encodeAnnounce, encodeConnect, readReply, transactionOf } from "../../../peer/discovery/udp-words.ts";
import { SkimmerError } from "../../../system/errors.ts";
import { encode } from "../../../torrents/bencode.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { kindOfDatagram, readUdpAnnounce, readUrlOption } from "../../../tracker/announce/udp-packets.ts";
import { EVENT, makeAsk } from "../../../tracker/swarm/ask.ts";

const ANNOUNCE = {
  infoHash: "00ff".padEnd(40, "a") as InfoHash,
  peerId: "2d".padEnd(40, "0") as PeerId,
  port: 7,
  uploaded: 1,
  downloaded: 2,
  left: 3,
  numwant: 4,
};

test("nextAnnounceMs() keeps the tracker's interval within bounds", (t) => {
  const calm = { intervalS: 120, minIntervalS: undefined, starving: false, starvingIntervalMs: STARVING_INTERVAL_MS, random: 0.5 };
  t.is(nextAnnounceMs(calm), 120_000);
  t.is(nextAnnounceMs({ ...calm, intervalS: 0 }), MIN_INTERVAL_MS);
  t.is(nextAnnounceMs({ ...calm, intervalS: 1e9 }), MAX_INTERVAL_MS);
  t.is(nextAnnounceMs({ ...calm, starving: true }), STARVING_INTERVAL_MS);
  t.is(nextAnnounceMs({ ...calm, starving: true, minIntervalS: 30 }), 30_000);
  // starving never means later than the interval
  t.is(nextAnnounceMs({ ...calm, intervalS: 10, starving: true, starvingIntervalMs: 60_000 }), 10_000);
});

test("retryDelayMs() doubles up to its bound", (t) => {
  const delays = [1, 2, 3, 50].map((failures) => retryDelayMs({ failures, mostMs: 60_000, random: 0.5 }));
  t.deepEqual(delays, [1_000, 2_000, 4_000, 60_000]);
});

test("spareShare() is what is left of the upload limit, in per cent; unknown without a limit", (t) => {
  t.is(spareShare({ bytesPerSecond: 25, limitBytesPerSecond: 100 }), 75);
  t.is(spareShare({ bytesPerSecond: 120, limitBytesPerSecond: 100 }), 0);
  t.is(spareShare({ bytesPerSecond: 120, limitBytesPerSecond: 0 }), undefined);
});

test("announceUrl() carries raw bytes, keeps the tracker's own query, and sends its id back", (t) => {
  const url = announceUrl("http://t/announce?key=x#part", { ...ANNOUNCE, event: "started", trackerId: "a b" });
  t.true(url.startsWith("http://t/announce?key=x&info_hash=%00%ff%aa"));
  t.true(url.endsWith("&port=7&uploaded=1&downloaded=2&left=3&compact=1&numwant=4&event=started&trackerid=a%20b"));
});

test("parseAnnounceAnswer() reads compact IPv4 and IPv6 peers, lists of dictionaries, counts and words", (t) => {
  const peers = Buffer.from([127, 0, 0, 1, 0x1f, 0x90, 10, 0, 0, 2, 0, 0]);
  const peers6 = Buffer.concat([Buffer.alloc(15), Buffer.from([1, 0, 80])]);
  const words = { "warning message": "soon", "tracker id": "id", complete: 3, incomplete: 4 };
  const compact = parseAnnounceAnswer(encode({ interval: 60, "min interval": 5, peers, peers6, ...words }));
  t.deepEqual(compact.peers, [
    { host: "127.0.0.1", port: 8080 },
    { host: "::1", port: 80 },
  ]);
  t.like(compact, { intervalS: 60, minIntervalS: 5, seeds: 3, leeches: 4, warning: "soon", trackerId: "id", failure: undefined });
  t.deepEqual(parseAnnounceAnswer(encode({ peers: [{ ip: "h", port: 1 }, { ip: "h", port: 70_000 }, 3] })).peers, [{ host: "h", port: 1 }]);
  t.throws(() => parseAnnounceAnswer(Buffer.from("<html>")), { code: "protocol" });
});

test("parseAnnounceAnswer() reads when to ask again after a refusal (BEP 31)", (t) => {
  t.like(parseAnnounceAnswer(encode({ "failure reason": "no", "retry in": 3 })), { failure: "no", retryInS: 180 });
  t.is(parseAnnounceAnswer(encode({ "failure reason": "no", "retry in": "never" })).retryInS, Number.POSITIVE_INFINITY);
  t.is(parseAnnounceAnswer(encode({ "failure reason": "no" })).retryInS, undefined);
});

test("parseAnnounceAnswer() takes at most 500 peers, and never fails but with `protocol`", (t) => {
  t.is(parseAnnounceAnswer(encode({ peers: Buffer.alloc(6 * 10_000, 1) })).peers.length, 500);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        return parseAnnounceAnswer(Buffer.from(bytes)).peers.length <= 500;
      } catch (thrown) {
        return thrown instanceof SkimmerError && thrown.code === "protocol";
      }
    }),
  );
});

test("encodeAnnounce() says over UDP what our own tracker reads, with the path and query of the URL", (t) => {
  const target = `/announce/${"k".repeat(300)}?a=b`;
  const datagram = encodeAnnounce({ ...ANNOUNCE, left: 2 ** 33 + 5, event: "completed", key: 9, target }, Buffer.alloc(8, 1), 77);
  const ask = makeAsk({ infoHash: ANNOUNCE.infoHash, peerId: ANNOUNCE.peerId, ip: "127.0.0.1", port: 1 });
  if (ask === undefined) return t.fail();
  t.is(kindOfDatagram(datagram), "announce");
  t.is(kindOfDatagram(encodeConnect(5)), "connect");
  t.true(readUdpAnnounce(datagram, ask));
  t.like(ask, { left: 2 ** 33 + 5, event: EVENT.completed, port: 7, numwant: 4 });
  t.is(Buffer.from(ask.infoHash, "latin1").toString("hex"), ANNOUNCE.infoHash);
  t.is(readUrlOption(datagram), target);
});

test("readReply() reads connections, peers and refusals, and makes nothing of anything else", (t) => {
  const connected = Buffer.concat([Buffer.from("00000000" + "0000004d", "hex"), Buffer.alloc(8, 3)]);
  t.is(transactionOf(connected), 77);
  t.deepEqual(readReply(connected, 4), { kind: "connected", connectionId: Buffer.alloc(8, 3) });
  const head = Buffer.from("00000001" + "0000004d" + "0000003c" + "00000004" + "00000003", "hex");
  const reply = readReply(Buffer.concat([head, Buffer.from([10, 0, 0, 1, 0, 80])]), 4);
  t.like(reply, { kind: "announced", answer: { intervalS: 60, seeds: 3, leeches: 4, peers: [{ host: "10.0.0.1", port: 80 }] } });
  t.deepEqual(readReply(Buffer.concat([Buffer.from("0000000300000000", "hex"), Buffer.from("no")]), 4), { kind: "failed", failure: "no" });
  t.is(transactionOf(Buffer.alloc(7)), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 3000 }), fc.constantFrom(4 as const, 6 as const), (bytes, family) => {
      const read = readReply(Buffer.from(bytes), family);
      return read?.kind !== "announced" || read.answer.peers.length <= 500;
    }),
  );
});

const ANSWER = { peers: [], intervalS: 60, minIntervalS: undefined, failure: undefined };

function tiersOf(tiers: readonly (string | readonly string[])[]): TrackerTiers {
  return new TrackerTiers(tiers, { random: () => 0.999, mostRestMs: 60_000, wasComplete: false });
}

function urls(states: readonly TrackerState[]): string[] {
  return states.map(({ url }) => url);
}

test("TrackerTiers asks tier by tier, and moves the one that answers to the front of its own", (t) => {
  const tiers = tiersOf([["http://a", "http://b"], "udp://c", ["http://a", "wss://d"]]);
  t.deepEqual(urls(tiers.due(0)), ["http://a", "http://b", "udp://c"]);
  tiers.onAnswer(tiers.all[1], ANSWER);
  t.deepEqual(urls(tiers.due(0)), ["http://b", "http://a", "udp://c"]);
  t.deepEqual(
    tiers.status.map(({ url, state }) => [url, state]),
    [
      ["http://b", "working"],
      ["http://a", "waiting"],
      ["udp://c", "waiting"],
      ["wss://d", "unsupported"],
    ],
  );
});

test("TrackerTiers shuffles within a tier only", (t) => {
  const tiers = new TrackerTiers([["http://a", "http://b", "http://c"], "http://d"], {
    random: () => 0,
    mostRestMs: 1,
    wasComplete: false,
  });
  t.deepEqual(urls(tiers.all), ["http://b", "http://c", "http://a", "http://d"]);
});

test("TrackerTiers lets a failing tracker rest, as long as it asks for", (t) => {
  const tiers = tiersOf(["http://a", "http://b"]);
  const [a, b] = tiers.all;
  const failure = { problem: "down", retryInS: undefined, nowMs: 0, random: 0.5 };
  tiers.onFailure(a, failure);
  t.deepEqual(urls(tiers.due(999)), ["http://b"]);
  t.deepEqual(urls(tiers.due(1_000)), ["http://a", "http://b"]);
  tiers.onFailure(a, { ...failure, retryInS: 180 });
  t.deepEqual(urls(tiers.due(179_999)), ["http://b"]);
  tiers.onFailure(b, { ...failure, retryInS: Number.POSITIVE_INFINITY });
  t.is(tiers.nextDueMs(0), 180_000);
  t.like(tiers.status[0], { state: "failing", message: "down" });
  tiers.onAnswer(a, { ...ANSWER, warning: "old" });
  t.like(tiers.status[0], { state: "working", message: "old" });
});

test("TrackerTiers.replace() keeps what is known of those that stay, and says who is new and who is gone", (t) => {
  const tiers = tiersOf([["http://a", "http://b"], "udp://c"]);
  const [a, b, c] = tiers.all;
  tiers.onAnswer(b, { ...ANSWER, trackerId: "mine" });
  tiers.onFailure(a, { problem: "down", retryInS: undefined, nowMs: 0, random: 0.5 });
  const { added, gone } = tiers.replace(["http://new", ["http://a", "http://b"], "wss://d"], { wasComplete: true });
  t.deepEqual([urls(added), urls(gone)], [["http://new"], ["udp://c"]]);
  t.true(added[0].toldComplete, "it never lacked anything");
  t.deepEqual(urls(tiers.all), ["http://new", "http://b", "http://a"]);
  t.like(tiers.all[1], { tier: 1, known: true, trackerId: "mine" });
  t.deepEqual(urls(tiers.due(0)), ["http://new", "http://b"], "the failing one rests on");
  t.deepEqual([tiers.has(b), tiers.has(c)], [true, false]);
});

test("withoutTwins() leaves out UDP where HTTP is at the same place", (t) => {
  const tiers = ["http://h:8002/announce", "udp://h:8002/announce", "ws://h:8002", ["udp://h:9", "udp://other:8002"]];
  t.deepEqual(withoutTwins(tiers), [["http://h:8002/announce"], ["ws://h:8002"], ["udp://h:9", "udp://other:8002"]]);
  t.deepEqual(withoutTwins(["udp://h:1"]), [["udp://h:1"]]);
});

test("areAt() tells the supernodes' trackers from those of strangers", (t) => {
  const supernodes = ["http://h:8002", "http://[::1]:9/base"];
  t.true(areAt(["http://h:8002/announce", ["udp://h:8002", "http://[::1]:9/announce"]], supernodes));
  t.false(areAt(["http://h:8002/announce", "http://stranger:8002/announce"], supernodes));
  t.false(areAt(["http://h/announce"], supernodes));
  t.false(areAt(["nonsense"], supernodes));
});

test("shownTracker() leaves out what may be a member's key", (t) => {
  const shown = [
    ["http://h:8002/announce", "http://h:8002/announce"],
    ["https://t.example/0123abcd/announce.php?passkey=0123", "https://t.example/…/announce.php?…"],
    ["http://t.example/announce/0123abcd", "http://t.example/announce/…"],
    ["http://me:0123@t.example/", "http://t.example"],
    ["udp://t.example:6969/announce", "udp://t.example:6969/announce"],
    ["wss://127.0.0.1:1", "wss://127.0.0.1:1"],
    ["nonsense", "(malformed URL)"],
  ];
  t.deepEqual(
    shown.map(([tracker]) => shownTracker(tracker)),
    shown.map(([, visible]) => visible),
  );
});

test("TrackerTiers of nothing is never due, and of too much keeps a hundred", (t) => {
  t.is(tiersOf([]).nextDueMs(0), Number.POSITIVE_INFINITY);
  t.is(tiersOf(Array.from({ length: 500 }, (_, index) => `http://t${index}`)).all.length, 100);
});

test("trackersOver() keeps each tracker in its tier", (t) => {
  const tiers = [["http://a", "wss://b"], "ws://c", "udp://d"];
  t.deepEqual(trackersOver(["ws"], tiers), [["wss://b"], ["ws://c"], []]);
  t.deepEqual(trackersOver(PLAIN_SCHEMES, tiers), [["http://a"], [], ["udp://d"]]);
});

test("webSidesOf() are those of the supernodes' trackers, once each, without what their URLs say of this host", (t) => {
  const supernodes = ["http://super.example:8002", "https://tls.example"];
  const tiers = ["http://super.example:8002/announce?ip=1", ["udp://super.example:8002", "http://stranger.example/announce"]];
  t.deepEqual(webSidesOf([...tiers, "http://super.example:8002/announce", "https://tls.example/announce"], supernodes), [
    ["ws://super.example:8002/announce"],
    ["wss://tls.example/announce"],
  ]);
  t.deepEqual(webSidesOf(tiers, []), []);
});

test("areWebOnly() and needsWebrtc(): some trackers, and none that this host can ask", (t) => {
  t.true(areWebOnly([["wss://a"], "ws://b"]));
  t.false(areWebOnly([["wss://a"], "udp://b"]));
  t.false(areWebOnly([]));
  const over = { random: () => 0.5, mostRestMs: 1, wasComplete: false };
  t.true(needsWebrtc(new TrackerTiers(["wss://a"], over).status));
  t.false(needsWebrtc(new TrackerTiers(["wss://a"], { ...over, schemes: ["ws"] }).status));
  t.false(needsWebrtc([]));
});
