import { EventEmitter } from "node:events";
import test from "ava";
import type WebTorrent from "webtorrent";
import { EMPTY_MS, MOST_SEATS } from "../../../peer/webrtc/seat-plan.ts";
import { type BrowserTorrent, WebPeer } from "../../../peer/webrtc/web-peer.ts";
import { silentLogger } from "../../../system/logger.ts";
import { encode } from "../../../torrents/bencode.ts";
import { geometryOf } from "../../../torrents/geometry.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";

interface Options {
  readonly announce: readonly string[];
  readonly preloadedStore: { get(index: number, callback: () => void): void };
}

/** webtorrent's torrent, which has announced by the next turn. */
class FakeTorrent extends EventEmitter {
  destroyed = false;
  readonly options: Options;

  constructor(options: Options) {
    super();
    this.options = options;
    setImmediate(() => this.emit("trackerAnnounce"));
  }

  destroy(): void {
    this.destroyed = true;
  }
}

class FakeWire extends EventEmitter {
  destroyed = false;

  destroy(): void {
    this.destroyed = true;
    this.emit("close");
  }
}

async function setUp() {
  const added: FakeTorrent[] = [];
  const held = new Set<BrowserTorrent>();
  const clock = { now: 0, nowMs: () => clock.now };
  class FakeClient extends EventEmitter {
    destroyed = false;

    add(_torrent: Uint8Array, options: Options): FakeTorrent {
      added.push(new FakeTorrent(options));
      return added[added.length - 1];
    }

    destroy(done: () => void): void {
      this.destroyed = true;
      done();
    }
  }
  const peer = await WebPeer.open(
    {
      supernode: "https://supernode:8002",
      peerId: "a".repeat(40) as PeerId,
      isHeld: (torrent) => held.has(torrent),
      clock,
      logger: silentLogger,
    },
    async () => FakeClient as unknown as typeof WebTorrent,
  );
  const makeTorrent = (fields: Partial<BrowserTorrent> = {}): BrowserTorrent => {
    const torrent: BrowserTorrent = {
      name: "file",
      infoHash: "b".repeat(40) as InfoHash,
      infoV1: encode({ name: "file" }) as Buffer,
      complete: true,
      geometry: geometryOf({ lengthBytes: 10, pieceLengthBytes: 256 * 1024 }),
      has: () => true,
      serve: async () => Buffer.alloc(10),
      ...fields,
    };
    held.add(torrent);
    return torrent;
  };
  return { peer, added, held, clock, makeTorrent, [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose]() };
}

test("WebPeer.serve() adds a torrent once, at the supernode's tracker alone", async (t) => {
  await using setting = await setUp();
  const torrent = setting.makeTorrent();
  await Promise.all([setting.peer.serve(torrent), setting.peer.serve(torrent)]);
  t.is(setting.added.length, 1);
  t.deepEqual(setting.added[0].options.announce, ["wss://supernode:8002/announce"]);
});

test("WebPeer.serve() refuses what is not complete, or has no v1 info dict", async (t) => {
  await using setting = await setUp();
  for (const fields of [{ complete: false }, { infoV1: undefined }])
    await t.throwsAsync(setting.peer.serve(setting.makeTorrent(fields)), { code: "not_final" });
  t.is(setting.added.length, 0);
});

test("WebPeer holds at most MOST_SEATS torrents: the one unused longest gives way, and none that is in use", async (t) => {
  await using setting = await setUp();
  const { peer, added, clock, makeTorrent } = setting;
  for (let count = 0; count < MOST_SEATS; count++) await peer.serve(makeTorrent());
  await t.throwsAsync(peer.serve(makeTorrent()), { code: "busy" });
  clock.now = 20_000;
  // the first is used by now, the second is not
  await new Promise<void>((resolve) => added[0].options.preloadedStore.get(0, () => resolve()));
  await peer.serve(makeTorrent());
  t.false(added[0].destroyed);
  t.true(added[1].destroyed);
  t.is(peer.figures.torrents, MOST_SEATS);
});

test("WebPeer leaves a torrent that nobody takes from, one that is gone, and all when the supernode is a new one", async (t) => {
  await using setting = await setUp();
  const { peer, added, held, clock, makeTorrent } = setting;
  const [empty, gone, kept] = [makeTorrent(), makeTorrent(), makeTorrent()];
  await Promise.all([empty, gone, kept].map((torrent) => peer.serve(torrent)));
  added[2].emit("wire", new FakeWire());
  held.delete(gone);
  peer.look();
  t.deepEqual(
    added.map(({ destroyed }) => destroyed),
    [false, true, false],
  );
  clock.now = EMPTY_MS;
  peer.look();
  t.deepEqual(
    added.map(({ destroyed }) => destroyed),
    [true, true, false],
  );
  peer.leaveAll();
  t.true(added[2].destroyed);
  t.is(peer.figures.torrents, 0);
});

test("WebPeer disconnects browsers beyond 200, and takes others when some have gone", async (t) => {
  await using setting = await setUp();
  await setting.peer.serve(setting.makeTorrent());
  const connect = (): FakeWire => {
    const wire = new FakeWire();
    setting.added[0].emit("wire", wire);
    return wire;
  };
  const wires = Array.from({ length: 200 }, connect);
  t.false(wires.some(({ destroyed }) => destroyed));
  t.true(connect().destroyed);
  t.is(setting.peer.figures.connections, 200);
  wires[0].destroy();
  t.false(connect().destroyed);
});
