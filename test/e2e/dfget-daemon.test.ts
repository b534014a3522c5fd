/**
 * The host daemon as its user sees it: a terminal's progress, Ctrl-C, quota and age of the store, sharing again after a
 * restart, a socket for a group, supernodes that come and go. Real processes.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readdir, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { requestJson } from "../../system/json-http.ts";
import { Cluster } from "../support/cluster.ts";
import { MIB, NO_SUPERNODE, place, sha256, startDaemon } from "../support/dfget-place.ts";
import { lastJson, runCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const DFGET = fileURLToPath(new URL("../../bin/dfget.js", import.meta.url));

/** Runs dfget on a pseudo-terminal of 100 columns; `onData` may type. Answers what the terminal got, and the exit code. */
async function onTerminal(args: readonly string[], onData: (seen: string, type: (keys: string) => void) => void = () => undefined) {
  const line = [process.execPath, DFGET, ...args].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["-qefc", `stty cols 100 rows 30; ${line}`, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  let seen = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen += text;
    onData(seen, (keys) => child.stdin.write(keys));
  });
  const [code] = (await once(child, "close")) as [number];
  return { seen, code };
}

test("a terminal shows a bar for each file, drawn over, and ends with one line for each", async (t) => {
  await using at = await place({ bytesPerSecond: 4 * MIB });
  const urls = ["/one", "/two"].map((path, index) => at.origin.add(path, seededBytes(60 + index, 4 * MIB)).url);
  const { seen, code } = await onTerminal([...urls, "-P", at.folder, "--home", at.home, "--supernode", NO_SUPERNODE]);
  t.is(code, 0, seen);
  for (const name of ["one", "two"]) t.regex(seen, new RegExp(`${name} +\\[=*> *\\] +\\d+ %`));
  t.regex(seen, /\d+(\.\d)? (k|M)B\/s/);
  t.regex(seen, / left/);
  t.true(seen.includes("\u001b[A"), "the bars are not drawn over");
  t.regex(seen, /one: 4\.2 MB in /);
  t.regex(seen, /two: 4\.2 MB in /);
  const plain = await at.plain([urls[0], "-o", "again"]);
  t.false((plain.stderr + plain.stdout).includes("\u001b"), "escape sequences where there is no terminal");
});

test("Ctrl-C on a terminal stops cleanly and says how to go on", async (t) => {
  await using at = await place({ bytesPerSecond: 2 * MIB });
  const { url } = at.origin.add("/file", seededBytes(62, 16 * MIB));
  let typed = false;
  const { seen, code } = await onTerminal([url, "-o", at.path("out"), "--home", at.home, "--supernode", NO_SUPERNODE], (text, type) => {
    if (typed || !/ [1-9]\d? %/.test(text)) return;
    typed = true;
    type("\u0003");
  });
  t.is(code, 130, seen);
  t.regex(seen, /run the same command again to go on/);
  t.deepEqual((await readdir(at.folder)).sort(), ["home"]);
});

test("--cache-size evicts the least recently used, never what is in use; --expire what is old", async (t) => {
  await using at = await place();
  await using daemon = await startDaemon(at, "--cache-size", "5MiB");
  const files = ["/a", "/b", "/c"].map((path, index) => at.origin.add(path, seededBytes(65 + index, 2 * MIB)));
  const hashes: unknown[] = [];
  for (const { url } of files.slice(0, 2)) hashes.push(lastJson(await at.dfget(url, "-o", "out")).infoHash);
  // the first one is used again, so that the second is the oldest
  await at.dfget(files[0].url, "-o", "out");
  hashes.push(lastJson(await at.dfget(files[2].url, "-o", "out")).infoHash);
  const stored = async (): Promise<string[]> => readdir(join(at.home, "tasks"));
  await until(async () => (await stored()).length === 2);
  t.deepEqual((await stored()).sort(), [hashes[0], hashes[2]].sort());
  await daemon.stop();
  await using young = await startDaemon(at, "--expire", "1s");
  await until(async () => (await stored()).length === 0);
  t.is(await young.stop(), 0);
});

test("an output that shares its file with the store is watched: a change is noticed though its time was put back to the millisecond", async (t) => {
  await using at = await place();
  const { url, sha256: expected } = at.origin.add("/file", seededBytes(68, 12 * MIB));
  await at.dfget(url, "-o", "mine");
  const before = await stat(at.path("mine"), { bigint: true });
  await using file = await open(at.path("mine"), "r+");
  await file.write(Buffer.from("edited"), 0, 6, 5 * MIB);
  // as cp --preserve, rsync -t and touch -r do: the time is put back, by less than the file system's grain
  await utimes(at.path("mine"), Number(before.atimeMs) / 1000, Number(before.mtimeMs) / 1000);
  const again = lastJson(await at.dfget(url, "-o", "fresh"));
  t.is(again.status, "ok");
  t.is(await sha256(at.path("fresh")), expected);
});

test("the socket is the user's alone, or a group's; then dfget writes the output itself", async (t) => {
  await using at = await place();
  const group = process.getgid?.() as number;
  await using daemon = await startDaemon(at, "--socket-group", String(group));
  const { mode, gid } = await stat(daemon.ready.socket);
  t.is(mode & 0o777, 0o660);
  t.is(gid, group);
  const { url, sha256: expected } = at.origin.add("/file", seededBytes(69, 3 * MIB));
  t.like(lastJson(await at.dfget(url, "-o", "out")), { status: "ok", output: at.path("out") });
  t.is(await sha256(at.path("out")), expected);
  const wrong = await at.dfget(url, "-o", "wrong", "--md5", "0".repeat(32));
  t.is(wrong.exitCode, 20);
  t.deepEqual((await readdir(at.folder)).sort(), ["home", "out"]);
  t.regex((await at.plain(["seed", "out"])).stderr, /reads no files of its callers/);
  // what the whole host feels goes over the socket of the daemon's own user
  t.is((await stat(`${daemon.ready.socket}.own`)).mode & 0o777, 0o600);
  const asMember = (method: string, path: string, body?: unknown) =>
    requestJson({ url: `http://dfdaemon${path}`, socketPath: daemon.ready.socket, method, body });
  for (const [method, path] of [
    ["PUT", "/v1/limits"],
    ["DELETE", `/v1/tasks/${"ab".repeat(20)}`],
    ["POST", "/v1/stop"],
  ])
    t.is((await asMember(method, path, {})).status, 403, path);
  t.is((await asMember("GET", "/v1/tasks")).status, 200);
  // a signature in a query is its owner's: other members see that somebody has the file, and no more
  at.origin.add("/signed", seededBytes(73, 200_000));
  const signed = `${at.origin.url}/signed?sig=SECRET`;
  t.is(lastJson(await at.dfget(signed, "-o", "signed")).status, "ok");
  const urls = async (path: string): Promise<string[]> =>
    ((await asMember("GET", path)).body as { tasks: { url: string }[] }).tasks.map((task) => task.url);
  t.true((await urls("/v1/tasks")).includes(`${at.origin.url}/signed?sig=…`));
  t.true((await urls(`/v1/tasks?url=${encodeURIComponent(signed)}`)).includes(signed));
  t.like(lastJson(await at.dfget("info", signed)), { url: signed });
  t.true((await at.plain(["ls"])).stdout.includes(signed), "the daemon's own user sees it");
  t.like(lastJson(await at.plain(["limit", "--download", "9MB", "--json"])), { download: 9_000_000 });
  t.is((await at.plain(["rm", "--all"])).exitCode, 0);
});

test("after a restart the daemon shares what it has without being asked", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 2 });
  const { url, sha256: expected } = origin.add("/file", seededBytes(70, 6 * MIB));
  const first = await cluster.dfget("h0", url);
  t.is(first.status, "ok");
  await cluster.stopDaemon("h0");
  await cluster.startDaemon("h0");
  const swarm = async (): Promise<{ seeds: number }> => {
    const response = await fetch(`${cluster.url}/api/v1/tasks`);
    const { tasks } = (await response.json()) as { tasks: { infoHash: string; seeds: number }[] };
    return tasks.find(({ infoHash }) => infoHash === first.infoHash) ?? { seeds: 0 };
  };
  // the seeder and h0
  await until(async () => (await swarm()).seeds >= 2, 15_000);
  const second = await cluster.dfget("h1", url);
  t.is(await sha256(cluster.output("h1")), expected);
  t.is(second.from.origin, 0);
});

test("dfget fails over along its supernodes, and goes by weights", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 1 });
  const { url } = origin.add("/file", seededBytes(71, 2 * MIB));
  const home = cluster.home("h0");
  const list = `${NO_SUPERNODE}=100,${cluster.url}=1`;
  const result = await runCommand({ command: "dfget", args: [url, "-o", cluster.output("x"), "--home", home, "-n", list, "--json"] });
  const done = lastJson(result);
  t.like(done, { status: "ok" });
  t.is(done.from.origin, 0, JSON.stringify(done));
  t.is(done.reason, undefined);
});

test("a download that began without a supernode goes on in the swarm when one comes back, with what it has", async (t) => {
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 2 * MIB });
  await using cluster = await Cluster.start({ daemons: 1 });
  await cluster.supernode.stop();
  const { url, sha256: expected } = origin.add("/file", seededBytes(73, 24 * MIB));
  const download = cluster.dfget("h0", url);
  await until(() => origin.bytesSent > 2 * MIB);
  await cluster.restartSupernode();
  const done = await download;
  t.like(done, { status: "ok" }, JSON.stringify(done));
  t.is(await sha256(cluster.output("h0")), expected);
  t.true(done.from.origin > 0 && done.from.seeder > 0, JSON.stringify(done.from));
  t.is(done.from.origin + done.from.seeder + done.from.cache + done.from.peers, 24 * MIB);
});

test("a stream that began without a supernode goes on in the swarm at its byte", async (t) => {
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 2 * MIB });
  await using cluster = await Cluster.start({ daemons: 1 });
  await cluster.supernode.stop();
  const { url, sha256: expected } = origin.add("/file", seededBytes(75, 20 * MIB));
  const command = `'${process.execPath}' '${DFGET}' '${url}' -O - --home '${cluster.home("h0")}' --supernode '${cluster.url}' --json > '${cluster.output("s")}'`;
  const download = spawn("sh", ["-c", command], { stdio: ["ignore", "inherit", "pipe"] });
  let events = "";
  download.stderr.setEncoding("utf8").on("data", (text: string) => {
    events += text;
  });
  await until(() => origin.bytesSent > 2 * MIB);
  await cluster.restartSupernode();
  const [code] = (await once(download, "close")) as [number];
  t.is(code, 0, events);
  t.is(await sha256(cluster.output("s")), expected);
  t.regex(events, /going on in the swarm/);
});

test("--continue takes what can be checked of a partial output, as wget left it, and nothing wrong", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 2 });
  const bytes = seededBytes(74, 4 * MIB);
  const { url, sha256: expected } = origin.add("/file", bytes);
  await cluster.dfget("h0", url);
  const partial = Buffer.from(bytes.subarray(0, 3 * MIB));
  partial[MIB] ^= 1;
  await writeFile(cluster.output("h1"), partial);
  const done = await cluster.dfget("h1", url, ["--continue"]);
  t.is(await sha256(cluster.output("h1")), expected);
  // 256 KiB a piece: eleven of the twelve are right
  t.is(done.from.cache, 11 * 256 * 1024, JSON.stringify(done));
});

test("--pattern cdn takes from the seeder only; p2p from peers too", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 2 });
  const { url, sha256: expected } = origin.add("/file", seededBytes(72, 4 * MIB));
  await cluster.dfget("h0", url);
  const done = await cluster.dfget("h1", url, ["--pattern", "cdn"]);
  t.like(done, { status: "ok", from: { seeder: 4 * MIB, peers: 0, origin: 0 } });
  t.is(await sha256(cluster.output("h1")), expected);
});
