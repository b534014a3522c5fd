/**
 * The seeder's options: what is refused at the start, and bounds on traffic, at the start and through the API.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { callApi } from "../support/api.ts";
import { Cluster } from "../support/cluster.ts";
import { temporaryFolder } from "../support/folders.ts";
import { runCommand, startCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;

test("bad options end the seeder at once with a clear sentence, and without a trace", async (t) => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "file"), "");
  for (const [args, expected] of [
    [["--supernode", "nonsense"], /^seeder: --supernode: cannot read the supernode "nonsense"\nGive a full URL/],
    [["--supernode", "ftp://host"], /cannot read the supernode "ftp:\/\/host"/],
    [["--supernode", "http://host/path"], /cannot read the supernode/],
    [["--listen", "nonsense"], /--listen: cannot read the address "nonsense"/],
    [["--advertise", "http://x"], /--advertise: cannot read the host "http:\/\/x"/],
    [["--log-level", "loud"], /--log-level: "loud" is not a log level/],
    [["--cache-size", "much"], /--cache-size: cannot read the amount "much"/],
    [["--cache-size", "120%"], /--cache-size: cannot read the share "120%"/],
    [["--cache-high", "50%", "--cache-low", "60%"], /--cache-low 60% is above --cache-high 50%/],
    [["--origin-connections", "0"], /--origin-connections: "0" is no count of connections/],
    [["--origin-limit", "fast"], /--origin-limit: cannot read the amount/],
    [["--cluster-key", join(folder.path, "file")], /does not hold a cluster key/],
    [["--data", join(folder.path, "file")], /cannot use .*file as data folder/],
    [["--what"], /unknown option '--what'/],
  ] as const) {
    const data = (args as readonly string[]).includes("--data") ? [] : ["--data", join(folder.path, "data")];
    const { exitCode, stderr, stdout } = await runCommand({ command: "seeder", args: ["--listen", "127.0.0.1:0", ...data, ...args] });
    t.is(exitCode, 2, `${args.join(" ")}: ${stderr}`);
    t.regex(stderr, expected);
    t.false(/\n\s+at /.test(stderr), stderr);
    t.is(stdout, "");
  }
});

test("bounds on traffic: from the command line, changed through the API at once, and kept for a seeder that comes back", async (t) => {
  await using origin = await ScriptedOrigin.start();
  const { url } = origin.add("/f.bin", seededBytes(61, 24 * MIB));
  await using cluster = await Cluster.start({ supernodeArgs: ["--no-seeder"] });
  const limits = (change?: object) => callApi(`${cluster.url}/api/v1/limits`, change === undefined ? {} : { method: "PUT", body: change });
  t.deepEqual((await limits()).body, {
    originBytesPerSecond: null,
    originHostBytesPerSecond: null,
    originConnectionsPerHost: null,
    uploadBytesPerSecond: null,
    seeders: [],
  });
  const args = ["--supernode", cluster.url, "--listen", "127.0.0.1:0", "--data", cluster.home("seeder"), "--log-level", "error"];
  const bounds = ["--origin-limit", "2MB", "--origin-host-limit", "3MB", "--origin-connections", "2", "--upload-limit", "50MB"];
  const seeder = await startCommand({ command: "seeder", args: [...args, ...bounds] });
  t.teardown(() => seeder.stop());
  const atStart = {
    originBytesPerSecond: 2_000_000,
    originHostBytesPerSecond: 3_000_000,
    originConnectionsPerHost: 2,
    uploadBytesPerSecond: 50_000_000,
  };
  await until(async () => (await limits()).body.seeders.length === 1);
  const { seeders, ...common } = (await limits()).body;
  t.deepEqual(common, atStart);
  t.like(seeders[0], atStart);
  const startedMs = performance.now();
  const { body: task } = await callApi(`${cluster.url}/api/v1/tasks`, { body: { url, headers: {} } });
  const ready = async () => (await callApi(`${cluster.url}/api/v1/tasks/${task.id}`)).body;
  // what the seeder has: sockets on the loopback take several MiB of what the origin sends
  const stored = async () => (await callApi(`${cluster.url}/api/v1/cache`)).body.tasks[0].bytes;
  await until(async () => (await stored()) >= 6 * MIB);
  const seconds = (performance.now() - startedMs) / 1000;
  t.true(seconds > 2, `6 MiB at 2 MB/s came in ${seconds} s`);
  t.true(origin.mostAtOnce <= 2, `${origin.mostAtOnce} connections at once`);
  const changed = await limits({ originBytesPerSecond: 0, originHostBytesPerSecond: 0 });
  t.like(changed.body, { ...atStart, originBytesPerSecond: 0, originHostBytesPerSecond: 0 });
  // at 2 MB/s the other 20 MiB would take 10 s
  await until(async () => (await ready()).state === "final", 6000);

  await seeder.stop();
  const again = await startCommand({ command: "seeder", args: [...args, ...bounds] });
  t.teardown(() => again.stop());
  await until(async () => (await limits()).body.originBytesPerSecond === 0);
  t.like((await limits()).body, { ...atStart, originBytesPerSecond: 0, originHostBytesPerSecond: 0 });

  for (const bad of [{ originBytesPerSecond: -1 }, { uploadBytesPerSecond: "fast" }, { originConnectionsPerHost: 0 }, { unknown: 1 }, []])
    t.is((await limits(bad)).status, 400, JSON.stringify(bad));
});
