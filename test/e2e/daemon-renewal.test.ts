/**
 * Downloads that may not read the origin, and to which nothing comes any more: the supernode is asked again, and knows where the
 * seeder is now, or why there is nothing to wait for. Real processes.
 */
import { join } from "node:path";
import test from "ava";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { type RunningCommand, startCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;

function startSeeder(cluster: Cluster, ...more: string[]): Promise<RunningCommand> {
  const args = ["--supernode", cluster.url, "--listen", "127.0.0.1:0", "--data", join(cluster.folder, "seeder"), "--log-level", "error"];
  return startCommand({ command: "seeder", args: [...args, ...more] });
}

test("a seeder that comes back at another port is found again within seconds", async (t) => {
  await using origin = await ScriptedOrigin.start();
  const { url, sha256 } = origin.add("/f.bin", seededBytes(91, 24 * MIB));
  await using cluster = await Cluster.start({ daemons: 1, supernodeArgs: ["--no-seeder"] });
  const first = await startSeeder(cluster, "--upload-limit", "4MB");
  const download = cluster.dfget("h0", url, ["--notbs"]);
  await until(() => origin.bytesSent >= 24 * MIB);
  await first.stop("SIGKILL");
  await using _ = await startSeeder(cluster);
  const done = await download;
  t.like(done, { status: "ok" }, JSON.stringify(done));
  t.is(await sha256Of(cluster.output("h0")), sha256);
  t.true((done.seconds as number) < 25, `${done.seconds} s`);
  t.is(done.from.origin, 0);
});

test("a file that vanishes at the origin while the seeder reads it fails the download with the origin's word, not with silence", async (t) => {
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 4 * MIB });
  const { url, file } = origin.add("/f.bin", seededBytes(92, 48 * MIB));
  await using cluster = await Cluster.start({ daemons: 1 });
  const startedMs = performance.now();
  const download = cluster.dfget("h0", url, ["--notbs"]);
  await until(() => origin.bytesSent > 6 * MIB);
  file.status = 404;
  file.breakAfterBytes = 0;
  const failed = await download;
  t.like(failed, { event: "error", status: "error", code: "origin_not_found" }, JSON.stringify(failed));
  t.is(failed.exitCode, 12);
  t.log(`${Math.round(performance.now() - startedMs)} ms`);
});
