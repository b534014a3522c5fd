/**
 * The stats page's figures against the daemons' own, with real processes: during and after a download, over a supernode's restart, and of private
 * tasks nothing.
 */
import { join } from "node:path";
import test from "ava";
import { requestJson } from "../../system/json-http.ts";
import type { HostRow, OverviewFields, PeerRow, SeederRow, TaskFields, TaskRow, View } from "../../tracker/pages/browser/shapes.ts";
import { Cluster } from "../support/cluster.ts";
import { beginCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;
const LENGTH = 24 * MIB;
const HOMES = ["h0", "h1", "h2"];

interface OwnTask {
  readonly infoHash: string;
  readonly bytesHave: number;
  readonly uploadedBytes: number;
  readonly from: Record<"origin" | "seeder" | "peers" | "cache", number>;
}

async function viewOf<V>(cluster: Cluster, path: string): Promise<V> {
  return (await requestJson({ url: `${cluster.url}/api/v1/stats${path}` })).body as V;
}

const overviewOf = (cluster: Cluster): Promise<View<OverviewFields, TaskRow>> => viewOf(cluster, "");

/** What the daemon of that home says of itself, on its own socket. */
async function ownTasks(cluster: Cluster, home: string): Promise<OwnTask[]> {
  const answer = await requestJson({ url: "http://d/v1/tasks", socketPath: join(cluster.home(home), "dfdaemon.sock") });
  return (answer.body as { tasks: OwnTask[] }).tasks;
}

/** Whether the first daemon has a torrent open. */
async function isDownloading(cluster: Cluster): Promise<boolean> {
  const answer = await requestJson({ url: "http://d/v1/info", socketPath: join(cluster.home("h0"), "dfdaemon.sock") });
  return (answer.body as { torrents: number }).torrents > 0;
}

async function peerIdOf(cluster: Cluster, home: string): Promise<string> {
  const answer = await requestJson({ url: "http://d/v1/info", socketPath: join(cluster.home(home), "dfdaemon.sock") });
  return (answer.body as { peerId: string }).peerId;
}

test("the swarm's figures on the page are the daemons' own, and the totals their sum", async (t) => {
  t.timeout(120_000);
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 8 * MIB });
  const { url } = origin.add("/f.bin", seededBytes(31, LENGTH));
  await using cluster = await Cluster.start({ daemons: 3, daemonArgs: ["--idc", "fra1"] });
  const running = HOMES.map((home) => cluster.dfget(home, url));
  // while it runs: some of the pieces, at somebody, and a rate
  await until(async () => {
    const { rows } = await overviewOf(cluster);
    return rows[0]?.state === "live" && rows[0].rate > 0 && rows[0].progress > 0 && rows[0].progress < 1;
  }, 30_000);
  for (const outcome of await Promise.all(running)) t.is(outcome.status, "ok", JSON.stringify(outcome));

  const own = await Promise.all(
    HOMES.map(async (home) => ({ peerId: await peerIdOf(cluster, home), tasks: await ownTasks(cluster, home) })),
  );
  const sum = (of: (task: OwnTask) => number): number => own.reduce((total, { tasks }) => total + of(tasks[0]), 0);
  const wanted = { origin: sum(({ from }) => from.origin), seeder: sum(({ from }) => from.seeder), peers: sum(({ from }) => from.peers) };
  t.is(wanted.origin + wanted.seeder + wanted.peers, 3 * LENGTH);
  const uploaded = sum(({ uploadedBytes }) => uploadedBytes);
  await until(async () => {
    const { bytes } = (await overviewOf(cluster)).fields;
    return bytes.seeder + bytes.peers + bytes.origin === 3 * LENGTH && bytes.uploaded === uploaded && bytes.fetched === LENGTH;
  }, 20_000);

  const { fields, rows } = await overviewOf(cluster);
  t.like(fields.bytes, { ...wanted, uploaded, fetched: LENGTH });
  t.is(fields.savedBytes, 3 * LENGTH - LENGTH);
  t.is(fields.peerShare, wanted.peers / (3 * LENGTH));
  t.like(fields, { hosts: 3, seeders: 1, seeds: 4, leeches: 0, total: 1 });
  t.like(rows[0], { state: "final", lengthBytes: LENGTH, progress: 1, seeds: 4, leeches: 0 });

  const task = await viewOf<View<TaskFields, PeerRow>>(cluster, `/tasks/${rows[0].key}`);
  t.is(task.fields.map, "4".repeat(task.fields.pieceCount));
  t.like(task.fields, { piecesReady: task.fields.pieceCount, bytes: { ...fields.bytes } });
  const hosts = await viewOf<View<{ total: number }, HostRow>>(cluster, "/hosts");
  for (const { peerId, tasks } of own) {
    const { cache: _cache, ...from } = tasks[0].from;
    const { uploadedBytes } = tasks[0];
    const peer = task.rows.find(({ key }) => key.startsWith(peerId));
    t.like(peer, { from, uploadedBytes, progress: 1, idc: "fra1", role: "host", client: "Skimmer 0.1" });
    t.like(
      hosts.rows.find(({ key }) => key === peerId),
      { from, uploadedBytes, tasks: 1, idc: "fra1" },
    );
  }
  const seeders = await viewOf<View<{ total: number }, SeederRow>>(cluster, "/seeders");
  t.like(seeders.rows[0], { usedBytes: LENGTH, tasks: 1 });
  t.true(seeders.rows[0].quotaBytes > 0 && seeders.rows[0].availableBytes > 0);
});

test("totals outlive the supernode, and daemons that go on are counted once", async (t) => {
  t.timeout(180_000);
  await using origin = await ScriptedOrigin.start();
  const one = origin.add("/one.bin", seededBytes(32, 8 * MIB));
  const two = origin.add("/two.bin", seededBytes(33, 4 * MIB));
  await using cluster = await Cluster.start({ daemons: 2 });
  for (const home of ["h0", "h1"]) t.is((await cluster.dfget(home, one.url)).status, "ok");
  const received = async (): Promise<number> => {
    const { bytes } = (await overviewOf(cluster)).fields;
    return bytes.origin + bytes.seeder + bytes.peers;
  };
  await until(async () => (await received()) === 2 * 8 * MIB, 20_000);
  const { sinceMs } = (await overviewOf(cluster)).fields;
  await cluster.restartSupernode();
  t.is(await received(), 2 * 8 * MIB);
  // both are heard of again, with what they have, and it does not count again
  await until(async () => (await overviewOf(cluster)).fields.hosts === 2, 60_000);
  t.is(await received(), 2 * 8 * MIB);
  t.is((await overviewOf(cluster)).fields.sinceMs, sinceMs);
  t.is((await cluster.dfget("h0", two.url)).status, "ok");
  await until(async () => (await received()) === 2 * 8 * MIB + 4 * MIB, 30_000);
  t.is((await ownTasks(cluster, "h0")).length, 2);
});

test("a download that was given up counts with all that it got", async (t) => {
  t.timeout(120_000);
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 4 * MIB });
  const { url } = origin.add("/slow.bin", seededBytes(34, 64 * MIB));
  await using cluster = await Cluster.start({ daemons: 1 });
  const output = join(cluster.folder, "slow.out");
  const dfget = beginCommand({ command: "dfget", args: [url, "-o", output, "--home", cluster.home("h0"), "--supernode", cluster.url] });
  await until(async () => (await ownTasks(cluster, "h0"))[0]?.bytesHave > 6 * MIB, 30_000);
  dfget.signal("SIGINT");
  t.not((await dfget.result).exitCode, 0);
  // the torrent is closed then, and its figures are final
  await until(async () => (await ownTasks(cluster, "h0"))[0].from !== null && !(await isDownloading(cluster)), 20_000);
  const [own] = await ownTasks(cluster, "h0");
  const peerId = await peerIdOf(cluster, "h0");
  const told = async (): Promise<number> => {
    const hosts = await viewOf<View<{ total: number }, HostRow>>(cluster, "/hosts");
    return hosts.rows.find(({ key }) => key === peerId)?.from.seeder ?? 0;
  };
  t.true(own.from.seeder > 6 * MIB);
  await until(async () => (await told()) === own.from.seeder, 20_000);
  t.is((await overviewOf(cluster)).fields.bytes.seeder, own.from.seeder);
});

test("private tasks are counted, and shown to nobody without a token", async (t) => {
  t.timeout(60_000);
  await using origin = await ScriptedOrigin.start();
  const { url } = origin.add("/secret-name.bin", seededBytes(35, 2 * MIB));
  await using cluster = await Cluster.start({ daemons: 1 });
  t.is((await cluster.dfget("h0", url, ["--header", "Authorization: Bearer secret"])).status, "ok");
  await until(async () => (await overviewOf(cluster)).fields.bytes.seeder === 2 * MIB, 20_000);
  const overview = await overviewOf(cluster);
  t.deepEqual(overview.rows, []);
  t.like(overview.fields.tasks, { hidden: 1, live: 0, final: 0 });
  const [{ infoHash }] = await ownTasks(cluster, "h0");
  for (const path of ["", "?search=secret", "/hosts", "/seeders"]) t.notRegex(JSON.stringify(await viewOf(cluster, path)), /secret-name/);
  t.is((await fetch(`${cluster.url}/api/v1/stats/tasks/${infoHash}`)).status, 404);
  const page = await fetch(`${cluster.url}/tasks/${infoHash}`);
  t.is(page.status, 404);
  t.notRegex(await page.text(), /secret-name/);
});
