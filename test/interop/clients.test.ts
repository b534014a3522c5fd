/**
 * Standard clients against ours: they leech from seeder and daemons, and seed to a fresh daemon whose only peer they are.
 */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";
import { aria2, hasAria2, hasLibtorrent, libtorrent, type Tool } from "../support/tools.ts";

const MIB = 1024 * 1024;
const LENGTH = 24 * MIB;
const aria2Test = hasAria2() ? test : test.skip;
const libtorrentTest = hasLibtorrent() ? test : test.skip;

interface Setting extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly origin: ScriptedOrigin;
  readonly url: string;
  readonly sha256: string;
  /** A final torrent as a file. */
  torrent(version: 1 | 2): Promise<string>;
}

/** A cluster in which one daemon holds the whole file and the task is final. */
async function setUp(seed: number): Promise<Setting> {
  const stack = new AsyncDisposableStack();
  const origin = stack.use(await ScriptedOrigin.start());
  const { url, sha256 } = origin.add("/shared.bin", seededBytes(seed, LENGTH));
  const cluster = stack.use(await Cluster.start({ daemons: 1, supernodeArgs: ["--announce-interval", "5s"] }));
  const outcome = await cluster.dfget("h0", url);
  if (outcome.status !== "ok") throw new Error(JSON.stringify(outcome));
  const torrent = async (version: 1 | 2): Promise<string> => {
    const path = join(cluster.folder, `shared.v${version}.torrent`);
    await until(async () => (await fetch(`${cluster.url}/api/v1/tasks/${outcome.infoHash}/torrent`)).ok);
    const answer = await fetch(`${cluster.url}/api/v1/tasks/${outcome.infoHash}/torrent?version=${version}`);
    await writeFile(path, Buffer.from(await answer.arrayBuffer()));
    return path;
  };
  return { cluster, origin, url, sha256, torrent, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

aria2Test("aria2 downloads the final torrent from our seeder and daemon", async (t) => {
  await using setting = await setUp(11);
  const folder = join(setting.cluster.folder, "aria2");
  await using leech = aria2(["--dir", folder, "--seed-time=0", await setting.torrent(1)]);
  t.is(await leech.exited, 0, leech.output());
  t.is(await sha256Of(join(folder, "shared.bin")), setting.sha256);
});

for (const version of [1, 2] as const) {
  libtorrentTest(`libtorrent downloads the final v${version} torrent from our seeder and daemon`, async (t) => {
    await using setting = await setUp(12);
    const folder = join(setting.cluster.folder, "libtorrent");
    await using leech = libtorrent([await setting.torrent(version), folder, "leech"]);
    t.is(await leech.exited, 0, leech.output());
    t.is(await sha256Of(join(folder, "shared.bin")), setting.sha256);
  });
}

aria2Test("aria2 seeds to a fresh daemon whose only peer it is", async (t) => {
  await using setting = await setUp(13);
  await seedsToFreshDaemon(t, setting, async (folder) =>
    aria2(["--dir", folder, "--seed-ratio=0", "--check-integrity=true", await setting.torrent(1)]),
  );
});

libtorrentTest("libtorrent seeds to a fresh daemon whose only peer it is", async (t) => {
  await using setting = await setUp(14);
  await seedsToFreshDaemon(t, setting, async (folder) => libtorrent([await setting.torrent(1), folder, "seed"]));
});

/** The seeder and the first daemon are gone before the fresh one starts; the origin must not be asked for content. */
async function seedsToFreshDaemon(t: ExecutionContext, setting: Setting, startSeed: (folder: string) => Promise<Tool>): Promise<void> {
  const { cluster, origin, url, sha256 } = setting;
  const folder = join(cluster.folder, "seed");
  await mkdir(folder);
  await copyFile(cluster.output("h0"), join(folder, "shared.bin"));
  await using seed = await startSeed(folder);
  await seed.firstLine();
  const hash = ((await (await fetch(`${cluster.url}/api/v1/tasks`)).json()) as { tasks: { infoHashV1: string }[] }).tasks[0].infoHashV1;
  await until(async () => (await scrapeComplete(cluster.url, hash)) >= 3, 30_000);
  await cluster.stopDaemon("h0");
  await cluster.restartSupernode(["--no-seeder"]);
  await until(async () => (await scrapeComplete(cluster.url, hash)) >= 1, 60_000);
  await cluster.startDaemon("fresh");
  const before = origin.bytesSent;
  const outcome = await cluster.dfget("fresh", url, ["--notbs"]);
  t.is(outcome.status, "ok", JSON.stringify(outcome));
  t.is(await sha256Of(cluster.output("fresh")), sha256);
  t.deepEqual(outcome.from, { origin: 0, seeder: 0, peers: LENGTH, cache: 0 });
  t.true(origin.bytesSent - before < 1000);
}

/** Complete peers that the tracker counts for the v1 swarm. */
async function scrapeComplete(base: string, infoHash: string): Promise<number> {
  const escaped = infoHash.replace(/../g, "%$&");
  const text = Buffer.from(await (await fetch(`${base}/scrape?info_hash=${escaped}`)).arrayBuffer()).toString("latin1");
  return Number(/8:completei(\d+)e/.exec(text)?.[1] ?? 0);
}
