/** The daemon's deciders: whom to ask, where bytes came from, whether content is the same. */
import test from "ava";
import { isSameContent } from "../../../origin/same-content.ts";
import { accountAtEnd, accountSoFar } from "../../../peer/daemon/byte-account.ts";
import { homePaths } from "../../../peer/daemon/home-paths.ts";
import { makeLocalTorrent } from "../../../peer/daemon/local-torrent.ts";
import { lowestLimit } from "../../../peer/daemon/lowest-limit.ts";
import {
  decideSource,
  FIRST_BYTES_MS,
  GIVE_UP_MS,
  NO_CONNECTION_MS,
  ORIGIN_RETRY_MS,
  PATIENT_GIVE_UP_MS,
  type SourceFacts,
  STALL_MS,
  SWARM_BACK_MS,
} from "../../../peer/daemon/source-decider.ts";
import { SupernodeList, supernodeOrder } from "../../../peer/daemon/supernode-list.ts";
import { generateClusterKey } from "../../../torrents/cluster-key.ts";

const QUIET: SourceFacts = {
  nowMs: 0,
  startedAtMs: 0,
  lastBytesAtMs: undefined,
  swarmFlowingSinceMs: undefined,
  connections: 0,
  seeds: 0,
  originAllowed: true,
  originRunning: false,
  originEndedAtMs: undefined,
  slowestPieceMs: 0,
  alone: undefined,
  foreign: false,
};

test("decideSource() waits for a connection, then reads the origin", (t) => {
  t.is(decideSource({ ...QUIET, nowMs: NO_CONNECTION_MS - 1 }).kind, "keep");
  t.is(decideSource({ ...QUIET, nowMs: NO_CONNECTION_MS }).kind, "read_origin");
});

test("decideSource() gives connected peers longer, and once bytes came goes by the last of them", (t) => {
  t.is(decideSource({ ...QUIET, connections: 1, nowMs: FIRST_BYTES_MS - 1 }).kind, "keep");
  t.is(decideSource({ ...QUIET, connections: 1, nowMs: FIRST_BYTES_MS }).kind, "read_origin");
  t.is(decideSource({ ...QUIET, connections: 1, lastBytesAtMs: 60_000, nowMs: 60_000 + STALL_MS - 1 }).kind, "keep");
  t.is(decideSource({ ...QUIET, connections: 1, lastBytesAtMs: 60_000, nowMs: 60_000 + STALL_MS }).kind, "read_origin");
});

test("decideSource() does not take a slow piece for a stall", (t) => {
  const slow = { ...QUIET, connections: 1, lastBytesAtMs: 0, slowestPieceMs: 20_000 };
  t.is(decideSource({ ...slow, nowMs: STALL_MS }).kind, "keep");
  t.is(decideSource({ ...slow, nowMs: 20_000 }).kind, "read_origin");
});

test("decideSource() reads the origin at once where there is no swarm, and pauses after a failure", (t) => {
  t.is(decideSource({ ...QUIET, alone: "no supernode answers" }).kind, "read_origin");
  t.is(decideSource({ ...QUIET, alone: "no supernode answers", originEndedAtMs: 0, nowMs: ORIGIN_RETRY_MS - 1 }).kind, "keep");
  t.is(decideSource({ ...QUIET, alone: "no supernode answers", originEndedAtMs: 0, nowMs: ORIGIN_RETRY_MS }).kind, "read_origin");
});

test("decideSource() never reads the origin where that is forbidden, and gives up in the end: later on a stranger's torrent", (t) => {
  const forbidden = { ...QUIET, originAllowed: false };
  t.is(decideSource({ ...forbidden, nowMs: GIVE_UP_MS - 1 }).kind, "keep");
  t.is(decideSource({ ...forbidden, nowMs: GIVE_UP_MS }).kind, "give_up");
  t.is(decideSource({ ...forbidden, foreign: true, nowMs: PATIENT_GIVE_UP_MS - 1 }).kind, "keep");
  t.is(decideSource({ ...forbidden, foreign: true, nowMs: PATIENT_GIVE_UP_MS }).kind, "give_up");
});

test("decideSource() leaves the origin when the swarm flows and somebody has everything", (t) => {
  const flowing = { ...QUIET, originRunning: true, connections: 2, seeds: 1, swarmFlowingSinceMs: 0 };
  t.is(decideSource({ ...flowing, nowMs: SWARM_BACK_MS - 1 }).kind, "keep");
  t.is(decideSource({ ...flowing, nowMs: SWARM_BACK_MS }).kind, "leave_origin");
  t.is(decideSource({ ...flowing, nowMs: SWARM_BACK_MS, seeds: 0 }).kind, "keep");
  t.is(decideSource({ ...flowing, nowMs: SWARM_BACK_MS, alone: "no supernode answers" }).kind, "keep");
});

test("SupernodeList leaves out the slow ones for a while, and asks those that refuse last", (t) => {
  const list = new SupernodeList();
  const supernodes = ["a", "b", "c"];
  const at = (nowMs: number): string[] => list.candidates({ supernodes, key: "key", nowMs, needed: false });
  t.deepEqual(at(0), supernodes);
  list.failed("a", "refused", 0);
  list.failed("b", "slow", 0);
  t.deepEqual(at(1), ["c", "a"]);
  t.deepEqual(at(5_000), supernodes);
  list.failed("b", "nonsense", 5_000);
  t.deepEqual(at(5_000 + 9_999), ["a", "c"]);
  list.worked("b");
  t.deepEqual(at(5_001), supernodes);
});

test("SupernodeList leaves none out where nothing else helps", (t) => {
  const list = new SupernodeList();
  const supernodes = ["a", "b", "c"];
  list.failed("a", "slow", 0);
  list.failed("b", "refused", 0);
  t.deepEqual(list.candidates({ supernodes, key: "key", nowMs: 1, needed: true }), ["c", "b", "a"]);
});

test("supernodeOrder() keeps the given order, and shares contents out by weight", (t) => {
  t.deepEqual(supernodeOrder(["http://b:1", "http://a:1"], "any"), ["http://b:1", "http://a:1"]);
  const weighted = ["http://a:1=3", "http://b:1"];
  t.deepEqual(supernodeOrder(weighted, "key"), supernodeOrder(weighted.toReversed(), "key"));
  const first = Array.from({ length: 1000 }, (_, index) => supernodeOrder(weighted, `content ${index}`)[0]);
  const share = first.filter((url) => url === "http://a:1").length / first.length;
  // weight 3 of 4; the standard deviation of 1000 draws is 0.014
  t.true(Math.abs(share - 0.75) < 0.06, `${share}`);
});

test("accountAtEnd() sums to the length, whatever the counters say", (t) => {
  const begin = { from: { origin: 0, seeder: 5, peers: 0, cache: 20 }, bytesHave: 25 };
  const now = { from: { origin: 10, seeder: 35, peers: 36, cache: 20 }, bytesHave: 101 };
  t.deepEqual(accountSoFar({ begin, now }), { origin: 10, seeder: 30, peers: 36, cache: 25 });
  // 100 − (30 + 36) = 34 = 25 of the cache + 9 of the origin (its counter says 10: one byte was rounded)
  t.deepEqual(accountAtEnd({ begin, now, lengthBytes: 100, originWasRead: true }), { origin: 9, seeder: 30, peers: 36, cache: 25 });
  t.deepEqual(accountAtEnd({ begin, now, lengthBytes: 100, originWasRead: false }), { origin: 0, seeder: 30, peers: 36, cache: 34 });
  t.deepEqual(accountAtEnd({ begin: now, now, lengthBytes: 101, originWasRead: true }), { origin: 0, seeder: 0, peers: 0, cache: 101 });
});

test("isSameContent() goes by length, then by the strongest validator that both have", (t) => {
  const of = (etag?: string, lastModified?: string, lengthBytes?: number) => ({ validators: { etag, lastModified }, lengthBytes });
  t.true(isSameContent(of("1", "x", 5), of("1", "y", 5)));
  t.false(isSameContent(of("1", "x", 5), of("2", "x", 5)));
  t.false(isSameContent(of("1", "x", 5), of("1", "x", 6)));
  t.true(isSameContent(of(undefined, "x"), of("1", "x")));
  t.false(isSameContent(of(undefined, "x"), of("1", "y")));
  t.true(isSameContent(of(undefined, undefined, 5), of("1", "y", 5)));
  t.false(isSameContent(of("1"), of(undefined, "y")));
});

test("homePaths() moves the socket where the home's path is too long to bind", (t) => {
  const short = homePaths({ home: "/home/u/.skimmer", uid: 7, temporary: "/tmp" });
  t.is(short.socket, "/home/u/.skimmer/dfdaemon.sock");
  const home = `/home/${"x".repeat(100)}`;
  const long = homePaths({ home, uid: 7, temporary: "/tmp" });
  t.regex(long.socket, /^\/tmp\/skimmer-7-[0-9a-f]{16}\.sock$/);
  t.is(homePaths({ home, uid: 7, temporary: "/tmp" }).socket, long.socket);
  t.not(homePaths({ home: `${home}y`, uid: 7, temporary: "/tmp" }).socket, long.socket);
});

test("makeLocalTorrent() gives the same torrent for the same content, and another for every change", (t) => {
  const input = {
    request: { url: "http://h/f" },
    name: "f",
    lengthBytes: 1_000_000,
    validators: { etag: '"1"' },
    key: generateClusterKey(),
  };
  const hash = makeLocalTorrent(input).infoHash;
  t.is(makeLocalTorrent({ ...input }).infoHash, hash);
  const others = [
    { validators: { etag: '"2"' } },
    { lengthBytes: 999 },
    { key: generateClusterKey() },
    { salt: Buffer.from("s") },
    { request: { url: "http://h/g" } },
  ];
  for (const change of others) t.not(makeLocalTorrent({ ...input, ...change }).infoHash, hash);
  t.is(makeLocalTorrent(input).geometry.pieceCount, 4); // 1,000,000 / 262,144 = 3.8
});

test("lowestLimit() takes 0 for unlimited", (t) => {
  t.is(lowestLimit(0, 0), 0);
  t.is(lowestLimit(0, 5, 3), 3);
});
