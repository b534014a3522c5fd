/**
 * Clients of others announce to our supernode: bittorrent-tracker's, aria2, libtorrent and transmission, over HTTP and UDP, IPv4 and IPv6.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import test from "ava";
import Client from "bittorrent-tracker/client";
import { WebSocket } from "ws";
import { Cluster } from "../support/cluster.ts";
import { until } from "../support/processes.ts";
import { hasAria2, hasLibtorrent, PYTHON, runTool, type Tool } from "../support/tools.ts";

const HASH = "ab".repeat(20);
const hasIpv6 = await canListen("::1");

async function canListen(host: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false)).listen(0, host, () => server.close(() => resolve(true)));
  return promise;
}

/** Peers in the swarm, as scrape says. */
async function peers(url: string, hash: string): Promise<number> {
  const text = await (await fetch(`${url}/scrape?info_hash=${hash.replace(/../g, "%$&")}`)).text();
  return Number(/8:completei(\d+)e/.exec(text)?.[1] ?? 0) + Number(/10:incompletei(\d+)e/.exec(text)?.[1] ?? 0);
}

function startTracker(listen?: string): Promise<Cluster> {
  return Cluster.start({ supernodeArgs: ["--no-seeder", "--open-tracker", ...(listen === undefined ? [] : ["--listen", listen])] });
}

interface Found {
  readonly addresses: readonly string[];
  readonly complete: number;
  readonly incomplete: number;
  readonly scraped: { readonly complete: number; readonly incomplete: number };
}

/** Announces and scrapes with bittorrent-tracker's client. */
async function useClient(announce: string, number: number): Promise<Found> {
  const client = new Client({
    infoHash: HASH,
    peerId: Buffer.from(`-UT3600-${String(number).padStart(12, "0")}`),
    announce,
    port: 7000 + number,
  });
  const addresses: string[] = [];
  client.on("peer", (peer: unknown) => void addresses.push(String(peer)));
  try {
    const update = await event<{ complete: number; incomplete: number }>(client, "update", () => client.start());
    const scraped = await event<{ complete: number; incomplete: number }>(client, "scrape", () => client.scrape());
    return { addresses, complete: update.complete, incomplete: update.incomplete, scraped };
  } finally {
    client.destroy();
  }
}

function event<T>(client: Client, name: string, act: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name} came`)), 15_000);
    client.once("error", reject);
    client.once("warning", reject);
    client.once(name, (value: unknown) => {
      clearTimeout(timer);
      resolve(value as T);
    });
    act();
  });
}

for (const protocol of ["http", "udp"] as const) {
  test(`bittorrent-tracker's client announces and scrapes over ${protocol}`, async (t) => {
    await using cluster = await startTracker();
    const url = `${cluster.url.replace("http", protocol)}/announce`;
    t.like(await useClient(url, 1), { addresses: [], incomplete: 1, scraped: { incomplete: 1 } });
    t.like(await useClient(url, 2), { addresses: ["127.0.0.1:7001"], incomplete: 2, scraped: { incomplete: 2 } });
  });
}

(hasIpv6 ? test : test.skip)("bittorrent-tracker's client announces over http and IPv6", async (t) => {
  await using cluster = await startTracker("[::1]:0");
  t.like(await useClient(`${cluster.url}/announce`, 1), { incomplete: 1 });
  t.like(await useClient(`${cluster.url}/announce`, 2), { incomplete: 2, addresses: ["[::1]:7001"] });
});

interface Browser extends AsyncDisposable {
  send(message: object): void;
  /** The next message that passes the check. */
  next(check: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
}

/** A peer as webtorrent in a browser talks to the tracker, without its WebRTC. */
async function openBrowser(url: string, number: number): Promise<Browser> {
  const socket = new WebSocket(url);
  const heard: Record<string, unknown>[] = [];
  socket.on("message", (bytes) => void heard.push(JSON.parse(String(bytes)) as Record<string, unknown>));
  await once(socket, "open", { signal: AbortSignal.timeout(15_000) });
  const common = { action: "announce", info_hash: bytesOf(HASH), peer_id: `-WW0001-${String(number).padStart(12, "0")}` };
  return {
    send: (message) => socket.send(JSON.stringify({ ...common, ...message })),
    next: async (check) => {
      await until(() => heard.some(check), 15_000);
      return heard.find(check) ?? {};
    },
    [Symbol.asyncDispose]: async () => socket.terminate(),
  };
}

/** One character a byte, as WebTorrent's protocol has ids. */
function bytesOf(hex: string): string {
  return Buffer.from(hex, "hex").toString("latin1");
}

test("browsers announce over WebSocket: an offer reaches another one, whose answer comes back", async (t) => {
  await using cluster = await startTracker();
  const url = `${cluster.url.replace("http", "ws")}/announce`;
  await using first = await openBrowser(url, 1);
  first.send({ event: "started", left: 10, numwant: 0, offers: [] });
  t.like(await first.next(({ complete }) => complete !== undefined), { incomplete: 1 });
  await using second = await openBrowser(url, 2);
  const offer = { type: "offer", sdp: "v=0" };
  second.send({ event: "started", left: 0, numwant: 1, offers: [{ offer, offer_id: bytesOf("1".repeat(40)) }] });
  t.like(await second.next(({ complete }) => complete !== undefined), { complete: 1, incomplete: 1 });
  const offered = await first.next((message) => "offer" in message);
  t.like(offered, { offer, peer_id: "-WW0001-000000000002" });
  first.send({ answer: { type: "answer", sdp: "v=1" }, offer_id: offered.offer_id, to_peer_id: offered.peer_id });
  t.like(await second.next((message) => "answer" in message), { answer: { type: "answer", sdp: "v=1" } });
});

/** A torrent that nobody has, with that tracker. */
async function writeTorrent(cluster: Cluster, announce: string): Promise<{ readonly path: string; readonly hash: string }> {
  const info = Buffer.concat([
    Buffer.from("d6:lengthi10e4:name1:f12:piece lengthi16384e6:pieces20:"),
    Buffer.alloc(20, 1),
    Buffer.from("e"),
  ]);
  const path = join(cluster.folder, "f.torrent");
  await writeFile(path, Buffer.concat([Buffer.from(`d8:announce${announce.length}:${announce}4:info`), info, Buffer.from("e")]));
  return { path, hash: createHash("sha1").update(info).digest("hex") };
}

const LIBTORRENT = `
import libtorrent as lt, sys, time
session = lt.session({"listen_interfaces": sys.argv[3] + ":0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False})
session.add_torrent({"ti": lt.torrent_info(sys.argv[1]), "save_path": sys.argv[2]})
time.sleep(60)
`;

interface Program {
  readonly name: string;
  readonly present: boolean;
  /** What it cannot do in Debian 12's version, and why. */
  readonly unable: Readonly<Record<string, string>>;
  start(at: { cluster: Cluster; torrent: string; host: string }): Promise<Tool>;
}

const PROGRAMS: readonly Program[] = [
  {
    name: "aria2",
    present: hasAria2(),
    unable: { "udp [::1]": "aria2 speaks UDP to trackers over IPv4 only" },
    // its UDP tracker client lives on the socket of its DHT
    start: async ({ cluster, torrent }) => {
      const dht = ["--dht-listen-port=22000-22999", `--dht-file-path=${join(cluster.folder, "dht")}`, "--enable-dht=true"];
      const quiet = ["--bt-enable-lpd=false", "--listen-port=21000-21999", "--dir", cluster.home("aria2")];
      return runTool("aria2c", [...dht, ...quiet, torrent]);
    },
  },
  {
    name: "libtorrent",
    present: hasLibtorrent(),
    unable: {},
    start: async ({ cluster, torrent, host }) => {
      const script = join(cluster.folder, "announce.py");
      await writeFile(script, LIBTORRENT);
      return runTool(PYTHON, [script, torrent, cluster.folder, host]);
    },
  },
  {
    name: "transmission",
    present: spawnSync("transmission-cli", ["--version"]).error === undefined,
    unable: { "udp [::1]": "transmission 3 speaks UDP to trackers over IPv4 only" },
    start: async ({ cluster, torrent }) => {
      const home = cluster.home("transmission");
      await mkdir(home);
      await writeFile(join(home, "settings.json"), JSON.stringify({ "dht-enabled": false, "lpd-enabled": false }));
      return runTool("transmission-cli", ["--no-portmap", "--config-dir", home, "--download-dir", home, "--port", "23456", torrent]);
    },
  },
];

for (const program of PROGRAMS) {
  for (const protocol of ["http", "udp"] as const) {
    for (const host of ["127.0.0.1", "[::1]"]) {
      const reason = program.unable[`${protocol} ${host}`];
      const usable = program.present && reason === undefined && (hasIpv6 || host === "127.0.0.1");
      const title = `${program.name} announces over ${protocol} at ${host}${reason === undefined ? "" : ` (${reason})`}`;
      (usable ? test : test.skip)(title, async (t) => {
        await using cluster = await startTracker(`${host}:0`);
        const { path, hash } = await writeTorrent(cluster, `${cluster.url.replace("http", protocol)}/announce`);
        await using client = await program.start({ cluster, torrent: path, host });
        await until(async () => (await peers(cluster.url, hash)) === 1, 60_000);
        t.pass(client.output());
      });
    }
  }
}
