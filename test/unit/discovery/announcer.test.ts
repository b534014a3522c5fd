/** Announcer over a fake torrent and fake trackers. */
import test from "ava";
import type { Announce, AnnounceAnswer } from "../../../peer/discovery/announce.ts";
import { Announcer, type AnnouncerOptions } from "../../../peer/discovery/announcer.ts";
import { type Logger, silentLogger } from "../../../system/logger.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { FakeTorrent } from "../peer-daemon/fake-torrent.ts";

const NEVER = new AbortController().signal;
const ANSWER: AnnounceAnswer = { peers: [{ host: "127.0.0.1", port: 80 }], intervalS: 60, minIntervalS: undefined, failure: undefined };

interface Asked extends Announce {
  readonly tracker: string;
}

function announcing(
  answer: (asked: Asked, signal: AbortSignal) => Promise<AnnounceAnswer> | AnnounceAnswer,
  others: Partial<AnnouncerOptions> = {},
) {
  const torrent = new FakeTorrent();
  const asked: Asked[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const announce = async (tracker: string, words: Announce, { signal }: { signal: AbortSignal }): Promise<AnnounceAnswer> => {
    asked.push({ ...words, tracker });
    for (const { count, resolve } of waiting) if (asked.length >= count) resolve();
    return answer({ ...words, tracker }, signal);
  };
  const times = async (count: number): Promise<void> => {
    await new Promise<void>((resolve) => (asked.length >= count ? resolve() : waiting.push({ count, resolve })));
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  };
  const announcer = new Announcer({
    torrent: torrent.asTorrent,
    trackers: ["http://a/announce", "udp://b:1", "wss://c"],
    peerId: "2d".repeat(20) as PeerId,
    port: 5,
    starving: () => false,
    sociable: () => true,
    labels: { location: "eu|fra 1" },
    spare: () => 40,
    pace: { mostRestMs: 60_000, starvingIntervalMs: 5_000, timeoutMs: 5_000 },
    client: { announce },
    clock: { nowMs: () => performance.now() },
    random: () => 0.5,
    logger: silentLogger,
    ...others,
  });
  return { torrent, asked, times, announcer };
}

test("Announcer says started, completed and stopped, and brings peers", async (t) => {
  const { torrent, asked, times, announcer } = announcing(() => ({ ...ANSWER, trackerId: "mine" }));
  announcer.start();
  await times(1);
  t.deepEqual(torrent.peers, [{ host: "127.0.0.1", port: 80 }]);
  torrent.finish();
  await times(2);
  await announcer.stop(NEVER);
  t.true(asked.every(({ labels, spare }) => labels?.location === "eu|fra 1" && spare === 40));
  t.deepEqual(
    asked.map(({ event, left, trackerId, numwant }) => [event, left, trackerId, numwant]),
    [
      ["started", 100, undefined, 50],
      ["completed", 0, "mine", 0],
      ["stopped", 0, "mine", 0],
    ],
  );
});

test("Announcer asks the next tracker where one fails or refuses, and tells only those that know of us that it stops", async (t) => {
  const { asked, times, announcer } = announcing(({ tracker }) => {
    if (tracker.startsWith("http")) return { ...ANSWER, peers: [], failure: "banned" };
    return ANSWER;
  });
  announcer.start();
  await times(2);
  t.deepEqual(
    announcer.trackers.map(({ state, message }) => [state, message]),
    [
      ["failing", "the tracker refuses: banned"],
      ["working", undefined],
      ["unsupported", "only a daemon that was started with --webrtc uses it"],
    ],
  );
  await announcer.stop(NEVER);
  t.deepEqual(
    asked.map(({ tracker, event }) => [tracker, event]),
    [
      ["http://a/announce", "started"],
      ["udp://b:1", "started"],
      ["udp://b:1", "stopped"],
    ],
  );
});

test("Announcer asks the next tracker too where one is slow, and does not hold that against it", async (t) => {
  const { torrent, announcer, times } = announcing(({ tracker }, signal) => {
    if (tracker.startsWith("udp")) return ANSWER;
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  });
  announcer.start();
  await times(2);
  t.is(torrent.peers.length, 1);
  t.deepEqual(
    announcer.trackers.map(({ state }) => state),
    ["waiting", "working", "unsupported"],
  );
  await announcer.stop(NEVER);
});

test("Announcer comes back to failing trackers by itself", async (t) => {
  let failures = 2;
  const { torrent, announcer, times } = announcing(() => {
    if (failures-- > 0) throw new Error("down");
    return ANSWER;
  });
  announcer.start();
  await times(3);
  t.is(torrent.peers.length, 1);
  await announcer.stop(NEVER);
});

test("Announcer joins the final swarms when their hashes become known", async (t) => {
  const { torrent, asked, times, announcer } = announcing(() => ANSWER);
  announcer.start();
  await times(1);
  torrent.infoHashes = { ...torrent.infoHashes, v1: "01".repeat(20) as InfoHash, v2: "02".repeat(20) as InfoHash };
  torrent.emit("final");
  await times(3);
  t.is(new Set(asked.map(({ infoHash }) => infoHash)).size, 3);
  await announcer.stop(NEVER);
});

test("Announcer lets a tracker rest for as long as it likes, without timers that Node cannot count", async (t) => {
  const warnings: string[] = [];
  const onWarning = ({ name }: Error): unknown => warnings.push(name);
  process.on("warning", onWarning);
  t.teardown(() => process.off("warning", onWarning));
  const month = { ...ANSWER, peers: [], failure: "later", retryInS: 40_000 * 60 };
  const { announcer, times } = announcing(() => month, { trackers: ["http://a/announce"] });
  announcer.start();
  await times(1);
  t.deepEqual(warnings, []);
  await announcer.stop(NEVER);
});

test("Announcer keeps a member's key out of the log and of what is shown", async (t) => {
  const logged: unknown[] = [];
  const logger = { ...silentLogger, warn: (...words: unknown[]) => logged.push(words) };
  const { announcer, times } = announcing(() => ({ ...ANSWER, warning: "ratio" }), {
    trackers: ["http://t.example:80/s3cret/announce?passkey=s3cret"],
    logger: logger as unknown as Logger,
  });
  announcer.start();
  await times(1);
  t.is(logged.length, 1);
  const said = JSON.stringify([logged, announcer.trackers]);
  t.true(said.includes("t.example") && !said.includes("s3cret"), said);
  await announcer.stop(NEVER);
});

const PART = { labels: {}, spare: () => undefined, pace: { mostRestMs: 60_000, starvingIntervalMs: 5_000, timeoutMs: 5_000 } };

test("Announcer.change() asks a new tracker at once though another one answers, and tells those that are gone", async (t) => {
  const { torrent, asked, times, announcer } = announcing(() => ANSWER, { trackers: ["http://old/announce", "http://stays/announce"] });
  announcer.start();
  await times(1);
  announcer.change({ ...PART, trackers: ["http://stays/announce", "http://new/announce"] });
  await times(3);
  t.deepEqual(
    asked.map(({ tracker, event, labels }) => [tracker, event, labels]),
    [
      ["http://old/announce", "started", { location: "eu|fra 1" }],
      ["http://old/announce", "stopped", {}],
      ["http://new/announce", "started", {}],
    ],
  );
  t.is(torrent.peers.length, 2);
  t.deepEqual(
    announcer.trackers.map(({ url, state }) => [url, state]),
    [
      ["http://stays/announce", "waiting"],
      ["http://new/announce", "working"],
    ],
  );
  await announcer.stop(NEVER);
  t.deepEqual(
    asked.slice(3).map(({ tracker, event }) => [tracker, event]),
    [["http://new/announce", "stopped"]],
  );
});

test("Announcer.change() begins with a torrent that had no tracker, and drops the late answer of one that is gone", async (t) => {
  const { torrent, asked, times, announcer } = announcing(() => ANSWER, { trackers: [] });
  announcer.start();
  announcer.change({ ...PART, trackers: ["http://a/announce"] });
  await times(1);
  t.is(torrent.peers.length, 1);
  await announcer.stop(NEVER);
  t.is(asked.length, 2);

  const late = Promise.withResolvers<AnnounceAnswer>();
  const slow = announcing(({ tracker }) => (tracker.includes("slow") ? late.promise : { ...ANSWER, peers: [] }), {
    trackers: ["http://slow/announce"],
  });
  slow.announcer.start();
  await slow.times(1);
  slow.announcer.change({ ...PART, trackers: ["http://private/announce"] });
  await slow.times(2);
  late.resolve(ANSWER);
  await late.promise;
  await new Promise(setImmediate);
  t.deepEqual(slow.torrent.peers, []);
  await slow.announcer.stop(NEVER);
});
