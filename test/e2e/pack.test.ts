/**
 * The packed package, installed into an empty folder, as a user gets it: compiled commands, on any Node.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import test from "ava";
import { VERSION } from "../../system/options.ts";
import { temporaryFolder } from "../support/folders.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LENGTH = 3 * 1024 * 1024 + 1;
const NPM_TIMEOUT_MS = 240_000;
const COMMANDS = ["dfget", "dfdaemon", "supernode", "seeder"];

interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Without what an outer `npm test` sets, which would tell the inner npm to work on this project. */
const ENV = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|SKIMMER_|INIT_CWD)/.test(name)));

function run(command: string, args: readonly string[], folder: string, timeoutMs = 60_000): Promise<Run> {
  return new Promise((resolve) => {
    execFile(command, [...args], { cwd: folder, env: ENV, timeout: timeoutMs }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
    });
  });
}

/** The Node that the machine has by itself, which may be older than ours; else ours. */
function machineNode(): string {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  return folders.map((folder) => join(folder, "node")).find((path) => existsSync(path)) ?? process.execPath;
}

/** A long-running command on that Node; ended with SIGTERM, which a launcher on an old Node has to pass on. */
async function startUnder(node: string, args: readonly string[]): Promise<AsyncDisposable & { readonly ready: Record<string, string> }> {
  const child = spawn(node, [...args, "--log-level", "warn"], { env: ENV, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, "line", { signal: AbortSignal.timeout(30_000) }), ended.then(() => ["{}"])]);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
  };
  return { ready: JSON.parse(line), [Symbol.asyncDispose]: stop };
}

test("npm pack makes a package that runs where it is installed", async (t) => {
  t.timeout(2 * NPM_TIMEOUT_MS);
  await using folder = await temporaryFolder();
  const packed = await run("npm", ["pack", "--pack-destination", folder.path], ROOT, NPM_TIMEOUT_MS);
  t.is(packed.exitCode, 0, packed.stderr);
  const tarball = (await readdir(folder.path)).find((name) => name.endsWith(".tgz"));
  const project = join(folder.path, "project");
  await mkdir(project);
  await writeFile(join(project, "package.json"), '{"private":true}\n');
  const flags = ["--prefer-offline", "--no-audit", "--no-fund"];
  const installed = await run("npm", ["install", ...flags, join(folder.path, tarball ?? "")], project, NPM_TIMEOUT_MS);
  t.is(installed.exitCode, 0, installed.stderr);

  const root = join(project, "node_modules", "skimmer");
  const files = (await readdir(root, { recursive: true })).filter((name) => !name.includes("node_modules"));
  t.deepEqual(
    files.filter((name) => name.endsWith(".ts") || name.startsWith("test")),
    [],
    "no sources and no tests",
  );
  for (const node of new Set([process.execPath, machineNode()])) {
    for (const command of COMMANDS) {
      const version = await run(node, [join(root, "bin", `${command}.js`), "--version"], project);
      t.deepEqual(version, { exitCode: 0, stdout: `${VERSION}\n`, stderr: "" }, `${command} on ${node}`);
    }
  }
  const npx = await run("npx", ["--no-install", "dfget", "--version"], project);
  t.is(npx.stdout, `${VERSION}\n`, npx.stderr);

  await using origin = await ScriptedOrigin.start();
  const content = seededBytes(77, LENGTH);
  const { url } = origin.add("/packed.bin", content);
  const home = join(folder.path, "home");
  const bin = join(root, "bin");
  const supernodeArgs = ["--listen", "127.0.0.1:0", "--seeder-listen", "127.0.0.1:0", "--data", join(folder.path, "data")];
  await using supernode = await startUnder(machineNode(), [join(bin, "supernode.js"), ...supernodeArgs]);
  const page = await (await fetch(supernode.ready.http)).text();
  const assets = [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path);
  t.true(assets.includes("/assets/overview-page.js"), page);
  for (const path of [...assets, "/assets/live-view.js"]) t.is((await fetch(supernode.ready.http + path)).status, 200, path);
  const daemonArgs = ["--home", home, "--peer-listen", "127.0.0.1:0", "--supernode", supernode.ready.http];
  await using _ = await startUnder(machineNode(), [join(bin, "dfdaemon.js"), ...daemonArgs]);
  const got = await run(machineNode(), [join(bin, "dfget.js"), url, "-o", "got.bin", "--home", home, "--json"], project);
  t.is(got.exitCode, 0, got.stderr);
  t.like(JSON.parse(got.stdout.trim().split("\n").at(-1) ?? ""), { status: "ok", bytes: LENGTH, from: { seeder: LENGTH, origin: 0 } });
  t.true(content.equals(await readFile(join(project, "got.bin"))));
});
