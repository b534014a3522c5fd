/**
 * One swarm of everybody: our seeder, four daemons, aria2, transmission, libtorrent and webtorrent. The seeder is killed half way; every
 * file must be right. They meet at this machine's own address, because transmission refuses peers on the loopback.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { parseTorrentFile } from "../../torrents/parse-torrent-file.ts";
import { torrentFile } from "../../torrents/torrent-file.ts";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { lastJson, runCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";
import { aria2, hasAria2, hasLibtorrent, libtorrent, webtorrent } from "../support/tools.ts";
import { ownAddress, startTransmission, transmissionIsMissing } from "../support/transmission.ts";

const MIB = 1024 * 1024;
const LENGTH = 40 * MIB;
/** So slow that everybody is still at it when the seeder goes. */
const RATE = "4MB";
const isPossible = hasAria2() && hasLibtorrent() && transmissionIsMissing() === undefined;
const mixedTest = isPossible ? test : test.skip;

mixedTest("aria2, transmission, libtorrent, webtorrent and three daemons get the file, though the seeder is killed half way", async (t) => {
  await using origin = await ScriptedOrigin.start();
  const { url, sha256 } = origin.add("/shared.bin", seededBytes(71, LENGTH));
  const place = ["--listen", `${ownAddress()}:0`, "--seeder-listen", "0.0.0.0:0", "--access", "open", "--origin-allow", "loopback"];
  await using cluster = await Cluster.start({
    supernodeArgs: [...place, "--announce-interval", "5s"],
    daemonArgs: ["--peer-listen", "0.0.0.0:0", "--upload-limit", RATE],
    daemons: 4,
  });
  const first = await cluster.dfget("h0", url);
  t.is(first.status, "ok", JSON.stringify(first));
  const limits = JSON.stringify({ uploadBytesPerSecond: 4_000_000 });
  t.true(
    (await fetch(`${cluster.url}/api/v1/limits`, { method: "PUT", body: limits, headers: { "content-type": "application/json" } })).ok,
  );
  const torrent = join(cluster.folder, "shared.torrent");
  const answer = await fetch(`${cluster.url}/api/v1/tasks/${first.infoHash}/torrent`);
  const { info, tiers } = parseTorrentFile(Buffer.from(await answer.arrayBuffer()));
  // without its web seed: the swarm is to bring it
  await writeFile(torrent, torrentFile({ info, trackers: tiers.flat() }));

  const folders = ["aria2", "libtorrent", "webtorrent", "transmission"].map((name) => join(cluster.folder, name));
  for (const folder of folders) await mkdir(folder);
  const [forAria2, forLibtorrent, forWebtorrent, forTransmission] = folders;
  await using one = aria2(["--dir", forAria2, "--seed-time=0", "--bt-tracker-interval=5", torrent]);
  await using two = libtorrent([torrent, forLibtorrent, "leech"]);
  await using three = webtorrent([torrent, forWebtorrent, "leech"]);
  await using four = await startTransmission({ torrent, folder: forTransmission, encryption: "preferred" });
  const ours = ["h1", "h2", "h3"].map((name) => cluster.dfget(name, url, ["--notbs"]));
  await until(async () => (await bytesOf(cluster, "h1")) >= LENGTH / 2, 60_000);
  process.kill(await cluster.seederPid(), "SIGKILL");

  for (const outcome of await Promise.all(ours)) t.is(outcome.status, "ok", JSON.stringify(outcome));
  t.is(await one.exited, 0, one.output());
  t.is(await two.exited, 0, two.output());
  await until(() => three.output().includes('"done"'), 90_000);
  await until(() => four.isDone(), 90_000);
  for (const name of ["h1", "h2", "h3"]) t.is(await sha256Of(cluster.output(name)), sha256, name);
  for (const folder of folders) t.is(await sha256Of(join(folder, "shared.bin")), sha256, folder);
  t.true(origin.bytesSent < 1.1 * LENGTH, `the origin sent ${origin.bytesSent} bytes`);
});

async function bytesOf(cluster: Cluster, name: string): Promise<number> {
  const listed = lastJson(await runCommand({ command: "dfget", args: ["ls", "--json", "--home", cluster.home(name)] }));
  const [task] = listed.tasks as { bytesHave: number }[];
  return task?.bytesHave ?? 0;
}
