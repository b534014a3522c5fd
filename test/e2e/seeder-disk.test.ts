/**
 * The seeder's disk, with real processes: a disk that fills up, the quota, and the commands that list, keep and remove.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { callApi } from "../support/api.ts";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { temporaryFolder } from "../support/folders.ts";
import { type CommandResult, lastJson, type RunningCommand, runCommand, startCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;

/** A cluster whose seeder is a process of its own. */
async function startCluster(options: { data?: string; args?: readonly string[]; daemons?: number }) {
  const cluster = await Cluster.start({ daemons: options.daemons, supernodeArgs: ["--no-seeder"] });
  const data = options.data ?? cluster.home("seeder");
  const args = ["--supernode", cluster.url, "--listen", "127.0.0.1:0", "--data", data, "--log-level", process.env.LOG ?? "error"];
  const start = async (): Promise<RunningCommand> =>
    cluster.use(await startCommand({ command: "seeder", args: [...args, ...(options.args ?? [])] }));
  const seeder = await start();
  const cache = (...words: string[]): Promise<CommandResult> =>
    runCommand({ command: "supernode", args: ["cache", ...words, "--supernode", cluster.url] });
  const post = (url: string, more: object = {}) => callApi(`${cluster.url}/api/v1/tasks`, { body: { url, headers: {}, ...more } });
  const task = async (id: string) => (await callApi(`${cluster.url}/api/v1/tasks/${id}`)).body;
  return { cluster, data, seeder, start, cache, post, task, [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() };
}

/** Writes until nothing more goes. */
function fillUp(path: string): void {
  for (const bytes of [MIB, 4096]) spawnSync("dd", ["if=/dev/zero", `of=${path}.${bytes}`, `bs=${bytes}`]);
}

/** Not everywhere root may mount: then the test is left out, and shown as left out. */
function canMount(): boolean {
  const probe = mkdtempSync(join(tmpdir(), "skimmer-test-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", probe]).status === 0;
  if (mounted) spawnSync("umount", ["-l", probe]);
  rmdirSync(probe);
  return mounted;
}

(canMount() ? test : test.skip)(
  "a disk that fills up fails that task clearly, leaves the others alive, and is gone on with when there is room",
  async (t) => {
    const disk = await temporaryFolder();
    t.is(spawnSync("mount", ["-t", "tmpfs", "-o", "size=96m", "tmpfs", disk.path]).status, 0);
    t.teardown(async () => {
      spawnSync("umount", ["-l", disk.path]);
      await disk[Symbol.asyncDispose]();
    });
    await using origin = await ScriptedOrigin.start();
    const kept = origin.add("/kept.bin", seededBytes(1, 8 * MIB));
    const big = origin.add("/big.bin", seededBytes(2, 40 * MIB));
    const next = origin.add("/next.bin", seededBytes(3, 20 * MIB));
    await using at = await startCluster({ data: join(disk.path, "seeder"), args: ["--cache-size", "100%"], daemons: 2 });
    t.is((await at.cluster.dfget("h0", kept.url)).status, "ok");
    t.is((await at.cache("pin", kept.url)).exitCode, 0);
    origin.bytesPerSecond = 10 * MIB;
    const { body: started } = await at.post(big.url);
    t.is(started.state, "live", JSON.stringify(started));
    await until(() => (origin.sent.get("/big.bin") ?? 0) > 8 * MIB);
    fillUp(join(disk.path, "foreign"));
    await until(async () => (await at.task(started.id)).state === "failed", 20_000);
    const failed = await at.task(started.id);
    t.is(failed.error.code, "disk_full", JSON.stringify(failed.error));
    t.true(failed.piecesReady > 0);
    origin.bytesPerSecond = 0;
    const refused = await at.post(next.url);
    t.is(refused.status, 507);
    t.like(refused.body.error, { code: "disk_full" });
    const alive = await at.cluster.dfget("h1", kept.url);
    t.is(alive.status, "ok", JSON.stringify(alive));
    t.is(alive.from.origin, 0);
    for (const name of await readdir(disk.path)) if (name.startsWith("foreign")) await rm(join(disk.path, name));
    await until(async () => (await at.task(started.id)).state === "final", 20_000);
    const sent = origin.sent.get("/big.bin") ?? 0;
    t.log(`origin sent ${(sent / (40 * MIB)).toFixed(3)} copies`);
    // what was under way when the disk was full: 4 connections of at most 16 MiB runs never arrive whole; pieces in flight do
    t.true(sent <= 40 * MIB + 12 * MIB, `${sent}`);
    const outcome = await at.cluster.dfget("h0", big.url);
    t.is(outcome.status, "ok", JSON.stringify(outcome));
    t.is(await sha256Of(at.cluster.output("h0")), big.sha256);
    // the refusal is shared for two seconds
    await until(async () => (await at.post(next.url)).status === 200);
  },
);

test("--cache-size bounds what is kept; supernode cache lists, pins and removes; private tasks stay unnamed", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using at = await startCluster({ args: ["--cache-size", "10MiB"] });
  const files = ["a", "b", "c", "d", "e", "f"].map((name, index) =>
    origin.add(`/${name}?sig=secret-${name}`.split("?")[0], seededBytes(index, 2 * MIB)),
  );
  const ids: string[] = [];
  for (const { url } of files.slice(0, 3)) {
    const { id } = (await at.post(url)).body;
    await until(async () => (await at.task(id)).state === "final");
    ids.push(id);
  }
  const secret = (await at.post(files[3].url, { headers: { authorization: "Bearer alice" } })).body;
  const listed = lastJson(await at.cache("ls", "--json")) as unknown as {
    tasks: { id: string; bytes: number; pinned: boolean }[];
    private: object;
    seeders: { quotaBytes: number }[];
  };
  t.deepEqual(listed.tasks.map(({ id }) => id).sort(), [...ids].sort());
  t.is(listed.seeders[0].quotaBytes, 10 * MIB);
  t.like(listed.private, { tasks: 1 });
  const text = (await at.cache("ls")).stdout;
  t.true(text.includes(files[0].url) && !text.includes(secret.id) && !text.includes(files[3].url), text);
  t.like(await at.cache("pin", ids[0].slice(0, 8)), { exitCode: 0, stdout: `pinned ${ids[0]}\n` });
  for (const { url } of files.slice(4)) {
    const { id, error } = (await at.post(url)).body;
    t.is(error, undefined);
    await until(async () => (await at.task(id)).state === "final");
  }
  t.is((await at.task(ids[0])).state, "final", "pinned");
  t.is((await callApi(`${at.cluster.url}/api/v1/tasks/${ids[1]}`)).status, 404, "the least recently used one went");
  t.is((await at.cache("rm", files[5].url)).exitCode, 0);
  t.is((await at.cache("unpin", ids[0])).exitCode, 0);
  for (const [args, exitCode] of [
    [["rm", "0".repeat(64)], 12],
    [["rm", secret.id], 12],
    [["pin", secret.infoHash], 12],
    [["rm"], 2],
    [["burn", ids[0]], 2],
    [["ls", "--supernode", "nonsense"], 2],
    [["ls", "--supernode", "http://127.0.0.1:1"], 30],
  ] as const) {
    const words = args.includes("--supernode") ? args : [...args, "--supernode", at.cluster.url];
    const result = await runCommand({ command: "supernode", args: ["cache", ...words] });
    t.is(result.exitCode, exitCode, `${args.join(" ")}: ${result.stderr}`);
  }
});

test("seeder gc: through the supernode while the seeder runs, in its folder when it is stopped", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using at = await startCluster({});
  const ids: string[] = [];
  for (const name of ["a", "b", "c"]) {
    const { id } = (await at.post(origin.add(`/${name}`, seededBytes(name.charCodeAt(0), MIB)).url)).body;
    await until(async () => (await at.task(id)).state === "final");
    ids.push(id);
  }
  t.is((await at.cache("pin", ids[0])).exitCode, 0);
  const gc = async (...args: string[]) =>
    runCommand({ command: "seeder", args: ["gc", "--data", at.data, "--supernode", at.cluster.url, ...args] });
  t.like(lastJson(await gc("--to", "2MiB", "--json")), { status: "ok", removed: 1, freedBytes: MIB, usedBytes: 2 * MIB });
  t.is((await callApi(`${at.cluster.url}/api/v1/tasks/${ids[1]}`)).status, 404);
  await at.seeder.stop("SIGKILL");
  await mkdir(join(at.data, "tasks", "left-over"));
  t.like(lastJson(await gc("--to", "0", "--json")), { removed: 1, leftovers: 1, usedBytes: MIB });
  t.deepEqual(await readdir(join(at.data, "tasks")), [ids[0]], "pinned");
  t.is((await gc("--to", "many")).exitCode, 2);
  t.is((await runCommand({ command: "seeder", args: ["gc", "--data", join(at.data, "none")] })).exitCode, 2);
  await at.start();
  await until(async () => (await callApi(`${at.cluster.url}/api/v1/cache`)).body.tasks.length === 1);
});
