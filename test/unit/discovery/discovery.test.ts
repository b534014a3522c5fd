/** Whose trackers hear what: Discovery over a fake torrent and trackers that only note what they are asked. */
import { once } from "node:events";
import test from "ava";
import { Discovery, type JoinOptions } from "../../../peer/discovery/discovery.ts";
import { silentLogger } from "../../../system/logger.ts";
import { encode } from "../../../torrents/bencode.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { FakeTorrent } from "../peer-daemon/fake-torrent.ts";

const OURS = "http://super.example:8002";

function discovering(lsd: "off" | "on" = "off") {
  const asked: { url: string; timeoutMs: number }[] = [];
  const heard = new EventTarget();
  const discovery = new Discovery({
    lsd,
    dht: "off",
    dhtBootstrap: [],
    engine: { address: { host: "127.0.0.1", port: 5 }, advertisedPort: 5, peerId: "2d".repeat(20) as PeerId },
    supernodes: [OURS],
    labels: { location: "eu", idc: "dc1" },
    spare: () => 40,
    dhtFile: "/nonexistent",
    get: async (url, { timeoutMs }) => {
      asked.push({ url, timeoutMs });
      heard.dispatchEvent(new Event("asked"));
      return encode({ interval: 60, peers: Buffer.from([127, 0, 0, 1, 0, 80]) });
    },
    clock: { nowMs: () => performance.now() },
    random: () => 0.5,
    logger: silentLogger,
  });
  return { discovery, asked, heard };
}

/** The first announce of such a torrent. */
async function firstAnnounce(how: Pick<JoinOptions, "trackers" | "openness" | "ours">): Promise<{ url: string; timeoutMs: number }> {
  const { discovery, asked, heard } = discovering();
  const first = once(heard, "asked", { signal: AbortSignal.timeout(10_000) });
  const torrent = new FakeTorrent().asTorrent;
  const membership = discovery.join({ ...how, torrent, dhtNodes: [], starving: () => false, sociable: () => true });
  await first;
  await membership.stop(AbortSignal.timeout(10_000));
  await discovery[Symbol.asyncDispose]();
  return asked[0];
}

test("strangers' trackers are left in peace and learn nothing of this host, those of private torrents too", async (t) => {
  for (const openness of ["added", "private", "task"] as const) {
    const { url, timeoutMs } = await firstAnnounce({ trackers: ["http://stranger.example/announce"], openness, ours: false });
    t.is(timeoutMs, 15_000, openness);
    t.false(/location|idc|spare/.test(url), url);
  }
});

test("the supernodes' trackers learn where this host is: of their tasks, and of what this host shares at them", async (t) => {
  const task = await firstAnnounce({ trackers: ["http://other-super.example/announce"], openness: "private", ours: true });
  const shared = await firstAnnounce({ trackers: [`${OURS}/announce`], openness: "task", ours: false });
  for (const { url, timeoutMs } of [task, shared]) {
    t.is(timeoutMs, 5_000);
    t.true(url.includes("&spare=40") && url.includes("&location=eu") && url.includes("&idc=dc1"), url);
  }
});

test("a link that names trackers is not told of on the local network, and what was found is not believed for a private torrent", async (t) => {
  const { discovery } = discovering("on");
  const patience = AbortSignal.timeout(20_000);
  const infoHash = new FakeTorrent().infoHash as InfoHash;
  const find = async (): Promise<number> => {
    let found = 0;
    const wish = { infoHash, trackers: ["http://stranger.example/announce"], hasPeers: false, dhtNodes: [] };
    // with the local network it would go on for a minute
    for await (const peers of discovery.find(wish, patience)) found += peers.length;
    return found;
  };
  for (const openness of ["private", "added"] as const) {
    t.is(await find(), 1);
    const fake = new FakeTorrent();
    const quiet = { trackers: [], ours: false, dhtNodes: [], starving: () => false, sociable: () => true };
    // before anybody else can have answered
    const membership = discovery.join({ ...quiet, torrent: fake.asTorrent, openness });
    t.is(fake.peers.length, openness === "private" ? 0 : 1);
    await membership.stop(patience);
  }
  t.false(patience.aborted);
  await discovery[Symbol.asyncDispose]();
});
