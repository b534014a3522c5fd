/** `dfget preheat`: files and images, its output and its exit codes. */
import { randomBytes } from "node:crypto";
import test, { type ExecutionContext } from "ava";
import { Cluster } from "../support/cluster.ts";
import { type CommandResult, lastJson, runCommand } from "../support/processes.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { ScriptedRegistry } from "../support/scripted-registry.ts";

function preheat(cluster: Cluster, args: readonly string[], env?: Record<string, string>): Promise<CommandResult> {
  return runCommand({ command: "dfget", args: ["preheat", "--supernode", cluster.url, ...args], env });
}

function ended(t: ExecutionContext, result: CommandResult, exitCode: number): void {
  t.is(result.exitCode, exitCode, result.stdout + result.stderr);
}

test("dfget preheat of a file: the seeder has it before the download, for the same headers", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 1 });
  const { url } = origin.add("/f.bin", randomBytes(1_000_000), { authorization: "Bearer k" });
  const header = ["--header", "Authorization: Bearer k"];
  const done = await preheat(cluster, [url, ...header]);
  ended(t, done, 0);
  t.is(done.stdout, "preheated: 1 file, 1.0 MB\n");
  t.like(await cluster.dfget("h0", url, header), { exitCode: 0, from: { origin: 0, seeder: 1_000_000 } });
  const refused = await preheat(cluster, [url]);
  ended(t, refused, 11);
  ended(t, await preheat(cluster, [`${origin.url}/absent`]), 12);
  const started = await preheat(cluster, [url, ...header, "--no-wait"]);
  ended(t, started, 0);
  t.regex(started.stdout, /^\d+\n$/);
});

test("dfget preheat of an image: chosen platforms, name and password by variable", async (t) => {
  await using registry = await ScriptedRegistry.start({ auth: "bearer" });
  await using cluster = await Cluster.start();
  const amd = registry.addImage({ repository: "team/app", tag: "amd", layers: [randomBytes(300_000)] });
  const arm = registry.addImage({ repository: "team/app", tag: "arm", layers: [randomBytes(300_000)] });
  registry.addIndex("team/app", "v1", { "linux/amd64": amd, "linux/arm64": arm });
  const image = `${registry.host}/team/app:v1`;
  const login = ["--username", "user"];
  const one = await preheat(cluster, [image, "--platform", "linux/amd64", ...login, "--json"], { SKIMMER_PASSWORD: "pass" });
  ended(t, one, 0);
  t.like(lastJson(one), { status: "ok", state: "success", files: { total: 2, done: 2, failed: 0 } });
  t.is(registry.count(new RegExp(`GET .*${arm.blobs[1]}`)), 0);
  const all = await preheat(cluster, [image, ...login, "--json"], { SKIMMER_PASSWORD: "pass" });
  t.like(lastJson(all), { files: { total: 4, done: 4 } });
  const wrong = await preheat(cluster, [image, ...login, "--json"], { SKIMMER_PASSWORD: "no" });
  ended(t, wrong, 11);
  t.like(lastJson(wrong), { status: "error", code: "origin_refused" });
  ended(t, await preheat(cluster, [image, "--platform", "plan9/mips", ...login], { SKIMMER_PASSWORD: "pass" }), 12);
});

test("dfget preheat says what is wrong with its words, and where no supernode answers", async (t) => {
  const run = (args: string[]): Promise<CommandResult> => runCommand({ command: "dfget", args: ["preheat", ...args] });
  ended(t, await run([]), 2);
  ended(t, await run(["a", "b"]), 2);
  const alone = await run(["alpine", "--supernode", "http://127.0.0.1:1"]);
  ended(t, alone, 30);
  t.regex(alone.stderr, /no supernode answers: http:\/\/127\.0\.0\.1:1/);
  const help = await run(["--help"]);
  ended(t, help, 0);
  t.regex(help.stdout, /--platform/);
});
