/**
 * Clients of others announce to our supernode: bittorrent-tracker's over HTTP, UDP and WebSocket, aria2, libtorrent; IPv4 and IPv6.
 */
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import test from "ava";
import Client from "bittorrent-tracker/client";
import { Cluster } from "../support/cluster.ts";
import { until } from "../support/processes.ts";
import { hasAria2, hasLibtorrent, PYTHON, runTool } from "../support/tools.ts";

const HASH = "ab".repeat(20);
const hasIpv6 = await canListen("::1");

async function canListen(host: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false)).listen(0, host, () => server.close(() => resolve(true)));
  return promise;
}

/** Peers in the swarm, as scrape says. aria2 with a magnet link claims that nothing is left. */
async function peers(url: string): Promise<number> {
  const text = await (await fetch(`${url}/scrape?info_hash=${HASH.replace(/../g, "%$&")}`)).text();
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

(hasAria2() ? test : test.skip)("aria2 announces over HTTP", async (t) => {
  await using cluster = await startTracker();
  const magnet = `magnet:?xt=urn:btih:${HASH}&tr=${encodeURIComponent(`${cluster.url}/announce`)}`;
  const quiet = ["--enable-dht=false", "--bt-enable-lpd=false", "--listen-port=21000-21999", "--dir", cluster.home("aria2")];
  await using client = runTool("aria2c", [...quiet, magnet]);
  await until(async () => (await peers(cluster.url)) === 1, 20_000);
  t.pass(client.output());
});

const LIBTORRENT = `
import libtorrent as lt, sys, time
session = lt.session({"listen_interfaces": sys.argv[4] + ":0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False})
params = lt.parse_magnet_uri("magnet:?xt=urn:btih:" + sys.argv[1])
params.trackers = [sys.argv[2]]
params.save_path = sys.argv[3]
session.add_torrent(params)
time.sleep(60)
`;

for (const [protocol, host] of [
  ["http", "127.0.0.1"],
  ["udp", "127.0.0.1"],
  ["udp", "[::1]"],
] as const) {
  const usable = hasLibtorrent() && (hasIpv6 || host === "127.0.0.1");
  (usable ? test : test.skip)(`libtorrent announces over ${protocol} at ${host}`, async (t) => {
    await using cluster = await startTracker(`${host}:0`);
    const script = join(cluster.folder, "announce.py");
    await writeFile(script, LIBTORRENT);
    const url = `${cluster.url.replace("http", protocol)}/announce`;
    await using client = runTool(PYTHON, [script, HASH, url, cluster.folder, host]);
    await until(async () => (await peers(cluster.url)) === 1, 30_000);
    t.pass(client.output());
  });
}
