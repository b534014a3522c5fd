/** Whose trackers hear what: Discovery over a fake torrent and trackers that only note what they are asked. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import test from "ava";
import { WebSocketServer } from "ws";
import { Discovery, type DiscoveryOptions, type JoinOptions } from "../../../peer/discovery/discovery.ts";
import { silentLogger } from "../../../system/logger.ts";
import { encode } from "../../../torrents/bencode.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { until } from "../../support/processes.ts";
import { FakeTorrent } from "../peer-daemon/fake-torrent.ts";

const OURS = "http://super.example:8002";

function discovering(lsd: "off" | "on" = "off", web: Partial<Pick<DiscoveryOptions, "calls" | "supernodes">> = {}) {
  const asked: { url: string; timeoutMs: number }[] = [];
  const heard = new EventTarget();
  const discovery = new Discovery({
    lsd,
    dht: "off",
    dhtBootstrap: [],
    engine: {
      address: { host: "127.0.0.1", port: 5 },
      advertisedPort: 5,
      peerId: "2d".repeat(20) as PeerId,
      find: () => undefined,
      take: () => undefined,
    },
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
    ...web,
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

test("a stranger's tracker that comes later learns nothing of this host, though the first one was ours", async (t) => {
  const { discovery, asked, heard } = discovering();
  const times = async (count: number): Promise<void> => {
    while (asked.length < count) await once(heard, "asked", { signal: AbortSignal.timeout(10_000) });
  };
  const fake = new FakeTorrent();
  const trackers = [`${OURS}/announce`];
  const quiet = { ours: false, openness: "added" as const, dhtNodes: [], starving: () => false, sociable: () => true };
  const membership = discovery.join({ ...quiet, torrent: fake.asTorrent, trackers });
  await times(1);
  membership.useTrackers([...trackers, "http://stranger.example/announce"]);
  await times(2);
  t.true(asked[0].url.startsWith(OURS) && asked[0].url.includes("location=eu"));
  t.true(asked[1].url.startsWith("http://stranger.example/"));
  t.false(/location|idc|spare/.test(asked[1].url), asked[1].url);
  await membership.stop(AbortSignal.timeout(10_000));
  await discovery[Symbol.asyncDispose]();
});

test("a supernode's WebSocket tracker is told of public tasks that are complete and final, without calls; of private ones never", async (t) => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const heard: Record<string, unknown>[] = [];
  server.on("connection", (socket) =>
    socket.on("message", (bytes) => {
      const message = JSON.parse(String(bytes));
      heard.push(message);
      socket.send(JSON.stringify({ action: "announce", info_hash: message.info_hash, interval: 60 }));
    }),
  );
  const supernode = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let calls = 0;
  const offer = async (): Promise<undefined> => void calls++;
  const { discovery } = discovering("off", { calls: { offer, answer: async () => undefined }, supernodes: [supernode] });
  const quiet = { ours: true, dhtNodes: [], trackers: [`${supernode}/announce`], starving: () => true, sociable: () => true };
  const torrentOf = (v1: string): FakeTorrent => Object.assign(new FakeTorrent(), { infoHashes: { v1: v1.repeat(20) as InfoHash } });
  const [secret, open] = [torrentOf("01"), torrentOf("02")];
  secret.complete = true;
  const memberships = [
    discovery.join({ ...quiet, torrent: secret.asTorrent, openness: "private" }),
    discovery.join({ ...quiet, torrent: open.asTorrent, openness: "task" }),
  ];
  open.finish();
  await until(() => memberships[1].trackers.some(({ url, state }) => url.startsWith("ws:") && state === "working"));
  await Promise.all(memberships.map((membership) => membership.stop(AbortSignal.timeout(10_000))));
  await discovery[Symbol.asyncDispose]();
  await new Promise((resolve) => server.close(resolve));
  t.deepEqual(
    heard.map(({ info_hash: infoHash, event, left }) => [Buffer.from(String(infoHash), "latin1").toString("hex"), event, left]),
    [
      ["02".repeat(20), "started", 0],
      ["02".repeat(20), "stopped", 0],
    ],
  );
  t.is(calls, 0);
});
