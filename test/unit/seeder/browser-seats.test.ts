import test from "ava";
import type { Announce, AnnounceAnswer } from "../../../peer/discovery/announce.ts";
import type { TorrentPeer } from "../../../peer/engine/types.ts";
import { BrowserSeats, type SeatedTorrent } from "../../../seeder/browser-seats.ts";
import { EMPTY_MS, MOST_SEATS, STILL_MS } from "../../../seeder/seat-plan.ts";
import { silentLogger } from "../../../system/logger.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";

const SELF = "a".repeat(40) as PeerId;

function browser(uploadedBytes: number, transport: TorrentPeer["transport"] = "webrtc"): TorrentPeer {
  const rates = { downloadBytesPerSecond: 0, uploadedBytes };
  return { peerId: "c".repeat(40) as PeerId, transport, host: "192.0.2.1", port: 0, seeder: false, piecesHave: 0, ...rates };
}

function setUp(answer: Partial<AnnounceAnswer> = {}) {
  const told: { tracker: string; announce: Announce }[] = [];
  const gone = new Set<SeatedTorrent>();
  const clock = { now: 0, nowMs: () => clock.now };
  const trackers = {
    announce: async (tracker: string, announce: Announce) => {
      told.push({ tracker, announce });
      return { peers: [], intervalS: 20, minIntervalS: undefined, failure: undefined, ...answer };
    },
  };
  const isHeld = (torrent: SeatedTorrent): boolean => !gone.has(torrent);
  const seats = new BrowserSeats({ supernode: "https://supernode:8002", peerId: SELF, trackers, isHeld, clock, logger: silentLogger });
  let made = 0;
  const makeTorrent = (fields: Partial<SeatedTorrent> = {}): SeatedTorrent & { peers: TorrentPeer[] } => {
    const v1 = (made++).toString(16).padStart(40, "0") as InfoHash;
    return { name: "file", infoHash: v1, infoHashes: { v1 }, complete: true, peers: [], ...fields } as SeatedTorrent & {
      peers: TorrentPeer[];
    };
  };
  /** Info hashes that were announced, or left, since the last time. */
  const heard = (event?: "stopped"): InfoHash[] => {
    const matching = told.filter(({ announce }) => announce.event === event);
    for (const one of matching) told.splice(told.indexOf(one), 1);
    return matching.map(({ announce }) => announce.infoHash);
  };
  return { seats, told, heard, gone, clock, makeTorrent, [Symbol.dispose]: () => seats[Symbol.dispose]() };
}

test("BrowserSeats.serve() announces the v1 swarm as a seed that calls nobody, each time, and at the tracker's interval", async (t) => {
  using setting = setUp();
  const { seats, told, heard, clock, makeTorrent } = setting;
  const torrent = makeTorrent();
  await seats.serve(torrent);
  const { v1 } = torrent.infoHashes;
  t.is(told[0].tracker, "wss://supernode:8002/announce");
  t.like(told[0].announce, { infoHash: v1, peerId: SELF, left: 0, numwant: 0, event: undefined });
  await seats.serve(torrent);
  t.deepEqual(heard(), [v1, v1]);
  clock.now = 19_999;
  seats.look();
  t.deepEqual(heard(), []);
  clock.now = 20_000;
  seats.look();
  t.deepEqual(heard(), [v1]);
  t.deepEqual(seats.figures, { torrents: 1, connections: 0 });
});

test("BrowserSeats.serve() refuses what is not complete, or has no v1 swarm, and passes on the tracker's refusal", async (t) => {
  using setting = setUp();
  for (const fields of [{ complete: false }, { infoHashes: {} }])
    await t.throwsAsync(setting.seats.serve(setting.makeTorrent(fields)), { code: "not_final" });
  t.is(setting.told.length, 0);
  using refused = setUp({ failure: "unknown torrent" });
  await t.throwsAsync(refused.seats.serve(refused.makeTorrent()), { message: /refuses file: unknown torrent/ });
});

test("BrowserSeats holds at most MOST_SEATS torrents: the one unused longest gives way, and none that is in use", async (t) => {
  using setting = setUp();
  const { seats, heard, clock, makeTorrent } = setting;
  const [first, second] = [makeTorrent(), makeTorrent()];
  await seats.serve(first);
  await seats.serve(second);
  for (let count = 2; count < MOST_SEATS; count++) await seats.serve(makeTorrent());
  await t.throwsAsync(seats.serve(makeTorrent()), { code: "busy" });
  first.peers.push(browser(1));
  clock.now = 20_000;
  // the first is used by now, the second is not
  seats.look();
  await seats.serve(makeTorrent());
  t.deepEqual(heard("stopped"), [second.infoHash]);
  t.deepEqual(seats.figures, { torrents: MOST_SEATS, connections: 1 });
});

test("BrowserSeats leaves a torrent that no browser takes from, whoever else does, and one that is gone", async (t) => {
  using setting = setUp();
  const { seats, heard, gone, clock, makeTorrent } = setting;
  const [empty, dropped, still] = [makeTorrent(), makeTorrent(), makeTorrent()];
  for (const torrent of [empty, dropped, still]) await seats.serve(torrent);
  empty.peers.push(browser(1, "tcp"));
  still.peers.push(browser(0));
  gone.add(dropped);
  seats.look();
  t.deepEqual(heard("stopped"), [dropped.infoHash]);
  clock.now = EMPTY_MS;
  empty.peers[0] = browser(2, "tcp");
  seats.look();
  t.deepEqual(heard("stopped"), [empty.infoHash]);
  clock.now = STILL_MS - 1;
  still.peers[0] = browser(1);
  seats.look();
  clock.now = STILL_MS;
  seats.look();
  t.deepEqual(heard("stopped"), []);
  seats[Symbol.dispose]();
  t.deepEqual(heard("stopped"), [still.infoHash]);
});
