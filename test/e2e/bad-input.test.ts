/**
 * Origins, supernodes and callers that misbehave, through the whole chain.
 */

import { once } from "node:events";
import { access, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test from "ava";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { temporaryFolder } from "../support/folders.ts";
import { lastJson, runCommand, stopDaemonOf } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;

test("what the origin refuses reaches the caller as such, with its exit code, and leaves no file", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 1 });
  const cases = [
    { path: "/401", behaviour: { authorization: "Basic right" }, code: "origin_refused", exitCode: 11 },
    { path: "/403", behaviour: { status: 403 }, code: "origin_refused", exitCode: 11 },
    { path: "/404", behaviour: { status: 404 }, code: "origin_not_found", exitCode: 12 },
    { path: "/500", behaviour: { status: 500 }, code: "origin_failed", exitCode: 13 },
  ];
  for (const { path, behaviour, code, exitCode } of cases) {
    const { url } = origin.add(path, seededBytes(1, 1000), behaviour);
    const outcome = await cluster.dfget("h0", url, ["--notbs"]);
    t.is(outcome.code, code, `${path}: ${JSON.stringify(outcome)}`);
    t.is(outcome.exitCode, exitCode);
    await t.throwsAsync(access(cluster.output("h0")));
  }
});

test("empty, one byte, and unknown length work through the swarm", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 2 });
  for (const [path, length, behaviour] of [
    ["/empty", 0, {}],
    ["/one", 1, {}],
    ["/chunked", 3 * MIB + 7, { chunked: true }],
    ["/noranges", 3 * MIB, { noRanges: true }],
  ] as const) {
    const content = seededBytes(2, length);
    const { url, sha256 } = origin.add(path, content, behaviour);
    const outcomes = await Promise.all([cluster.dfget("h0", url), cluster.dfget("h1", url, ["--digest", `sha256:${sha256}`])]);
    for (const outcome of outcomes) t.is(outcome.status, "ok", `${path}: ${JSON.stringify(outcome)}`);
    t.is(await sha256Of(cluster.output("h0")), sha256, path);
    t.is(await sha256Of(cluster.output("h1")), sha256, path);
  }
});

test("an origin that breaks off is resumed; nothing is sent twice but the broken rest", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 1 });
  const { url, sha256 } = origin.add("/f", seededBytes(3, 16 * MIB), { breakAfterBytes: 300_000, breakTimes: 5 });
  const outcome = await cluster.dfget("h0", url, ["--notbs"]);
  t.is(outcome.status, "ok", JSON.stringify(outcome));
  t.is(await sha256Of(cluster.output("h0")), sha256);
  t.true(origin.bytesSent <= 1.02 * 16 * MIB, `origin sent ${origin.bytesSent}`);
});

test("an origin that lies about its length ends in a clear error, not in a wrong file", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 1 });
  const { url } = origin.add("/long", seededBytes(4, 2 * MIB), { claimLength: 3 * MIB });
  const outcome = await cluster.dfget("h0", url, ["--timeout", "15"]);
  t.is(outcome.status, "error", JSON.stringify(outcome));
  t.true(["origin_failed", "no_progress", "timeout"].includes(String(outcome.code)), JSON.stringify(outcome));
  await t.throwsAsync(access(cluster.output("h0")));
});

test("a wrong digest leaves nothing at the output", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 1 });
  const { url } = origin.add("/f", seededBytes(5, MIB));
  const outcome = await cluster.dfget("h0", url, ["--digest", `sha256:${"0".repeat(64)}`]);
  t.is(outcome.code, "digest_mismatch");
  t.is(outcome.exitCode, 20);
  await t.throwsAsync(access(cluster.output("h0")));
});

test("a caller without credentials gets nothing of what another got with them", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 2 });
  const { url, sha256 } = origin.add("/private", seededBytes(6, 2 * MIB), { authorization: "Basic c2VjcmV0" });
  const right = await cluster.dfget("h0", url, ["--header", "Authorization: Basic c2VjcmV0"]);
  t.is(right.status, "ok", JSON.stringify(right));
  t.is(await sha256Of(cluster.output("h0")), sha256);
  const without = await cluster.dfget("h1", url);
  t.is(without.code, "origin_refused", JSON.stringify(without));
  const listed = (await (await fetch(`${cluster.url}/api/v1/tasks`)).json()) as { tasks: unknown[] };
  t.deepEqual(listed.tasks, []);
  t.is((await fetch(`${cluster.url}/api/v1/tasks/${right.infoHash}`)).status, 404);
});

test("a changed file is another task: nobody gets the old content", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 1 });
  const before = origin.add("/f", seededBytes(7, MIB));
  t.is((await cluster.dfget("h0", before.url)).status, "ok");
  const after = origin.add("/f", seededBytes(8, MIB));
  t.is((await cluster.dfget("h0", after.url)).status, "ok");
  t.is(await sha256Of(cluster.output("h0")), after.sha256);
});

test("a supernode that answers nonsense is passed over", async (t) => {
  await using origin = await ScriptedOrigin.start();
  const { url, sha256 } = origin.add("/f", seededBytes(9, 2 * MIB));
  await using folder = await temporaryFolder();
  const answers = ["<html>hello</html>", '{"liveInfo":"AAAA","infoHash":"00"}', '{"id":1}', "[".repeat(100_000)];
  let asked = 0;
  const server = createServer((_, response) => void response.end(answers[asked++ % answers.length]));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  const supernode = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const output = join(folder.path, "out");
  for (const _ of answers) {
    const args = [url, "-o", output, "--home", folder.path, "--supernode", supernode, "--json"];
    const result = await runCommand({ command: "dfget", args });
    t.is(lastJson(result).status, "ok", result.stdout + result.stderr);
    t.is(await sha256Of(output), sha256);
  }
  await stopDaemonOf(folder.path);
  t.true(asked > 0);
});

test("the API answers bad requests with JSON errors", async (t) => {
  await using cluster = await Cluster.start();
  const post = (body: string) => fetch(`${cluster.url}/api/v1/tasks`, { method: "POST", body });
  for (const body of ["", "{", "[]", '{"url":"ftp://x/y"}', '{"url":"nope"}', '{"url":"http://x/","headers":{"a\\n":"b"}}']) {
    const answer = await post(body);
    t.is(answer.status, 400, body);
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    t.true(error.message.length > 0 && error.code.length > 0);
  }
  t.is((await fetch(`${cluster.url}/nothing`)).status, 404);
  t.is((await fetch(`${cluster.url}/api/v1/tasks/zz`)).status, 404);
  const openapi = (await (await fetch(`${cluster.url}/api/v1/openapi.json`)).json()) as { paths: Record<string, object> };
  t.true(Object.keys(openapi.paths).length >= 8);
  const page = await readFile(new URL("../../docs/configuration.md", import.meta.url), "utf8");
  t.true(page.includes("--announce-interval"));
});
