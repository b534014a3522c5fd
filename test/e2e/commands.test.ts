/**
 * What all commands share: help, version, configuration, exit codes; and that none leaves a process behind.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import test from "ava";
import { VERSION } from "../../system/options.ts";
import { temporaryFolder } from "../support/folders.ts";
import { type CommandName, runCommand, startCommand, until } from "../support/processes.ts";

const COMMANDS: readonly CommandName[] = ["dfget", "dfdaemon", "supernode", "seeder", "start"];
/** Reads /proc, which only Linux has. */
const linuxTest = process.platform === "linux" ? test : test.skip;

/** Parent and state of a process; undefined where there is none, or only a zombie. */
function parentOf(pid: number | string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number);
}

function isGone(pid: number): boolean {
  return parentOf(pid) === undefined;
}

/** `start` in a process group of its own, with free ports and its own folders. */
function startAll(folder: string): ChildProcess {
  const env = {
    ...process.env,
    SKIMMER_LISTEN: "127.0.0.1:0",
    SKIMMER_SEEDER_LISTEN: "127.0.0.1:0",
    SKIMMER_PEER_LISTEN: "127.0.0.1:0",
    SKIMMER_DATA: join(folder, "supernode"),
    SKIMMER_HOME: join(folder, "home"),
    SKIMMER_LOG_LEVEL: "warn",
  };
  const launcher = fileURLToPath(new URL("../../bin/start.js", import.meta.url));
  return spawn(process.execPath, [launcher], { env, detached: true, stdio: ["ignore", "pipe", "inherit"] });
}

for (const command of COMMANDS) {
  test(`${command} prints version and help, and refuses an unknown option with exit code 2`, async (t) => {
    t.deepEqual(await runCommand({ command, args: ["--version"] }), { exitCode: 0, stdout: `${VERSION}\n`, stderr: "" });
    const help = await runCommand({ command, args: ["--help"] });
    t.is(help.exitCode, 0);
    t.true(help.stdout.startsWith(`Usage: ${command} `));
    const wrong = await runCommand({ command, args: ["--no-such-option"] });
    t.is(wrong.exitCode, 2);
    t.is(wrong.stderr, `${command}: unknown option '--no-such-option'\nSee ${command} --help.\n`);
  });
}

test("--print-config prints a configuration file with the same meaning", async (t) => {
  await using folder = await temporaryFolder();
  const args = ["--no-seeder", "--announce-interval", "5s", "--data", join(folder.path, "data")];
  const first = await runCommand({ command: "supernode", args: [...args, "--print-config"] });
  t.regex(first.stdout, /^announce-interval: "5s" # cli$/m);
  t.regex(first.stdout, /^seeder: false # cli$/m);
  const path = join(folder.path, "supernode.yaml");
  await writeFile(path, first.stdout);
  const second = await runCommand({ command: "supernode", args: ["--config", path, "--print-config"] });
  t.is(second.stdout, first.stdout.replaceAll("# cli", "# config"));
});

linuxTest("Ctrl-C ends `npm start` cleanly, however often it arrives, and leaves no process and no socket", async (t) => {
  await using folder = await temporaryFolder();
  const child = startAll(folder.path);
  const pid = child.pid as number;
  try {
    const ready: Record<string, string>[] = [];
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      if (ready.push(JSON.parse(line)) === 2) break;
    }
    t.deepEqual(
      ready.map((line) => line.ready),
      ["supernode", "dfdaemon"],
    );
    t.is((await fetch(`${ready[0].http}/healthz`)).status, 200);
    const children = childrenOf(pid);
    const all = [...children, ...children.flatMap(childrenOf)];
    t.is(all.length, 3, "supernode, dfdaemon and the supernode's seeder");
    // the terminal signals the whole group, npm and launchers pass it on
    process.kill(-pid, "SIGINT");
    process.kill(-pid, "SIGINT");
    t.deepEqual(await once(child, "exit", { signal: AbortSignal.timeout(15_000) }), [0, null]);
    t.true(all.every(isGone));
    t.false(existsSync(ready[1].socket));
    t.false(existsSync(join(folder.path, "supernode", "lock")));
    t.false(existsSync(join(folder.path, "supernode", "seeder", "lock")), "the seeder ended cleanly too");
  } finally {
    if (!isGone(pid)) process.kill(-pid, "SIGKILL");
  }
});

linuxTest("the seeder ends when its supernode is killed", async (t) => {
  await using folder = await temporaryFolder();
  const listen = ["--listen", "127.0.0.1:0", "--seeder-listen", "127.0.0.1:0"];
  await using supernode = await startCommand({ command: "supernode", args: [...listen, "--data", folder.path, "--log-level", "warn"] });
  const [seeder] = childrenOf(supernode.pid);
  t.is(await supernode.stop("SIGKILL"), "SIGKILL");
  await until(() => isGone(seeder));
  t.false(existsSync(join(folder.path, "seeder", "lock")), "it took the time to end cleanly");
});

test("two supernodes cannot share a folder", async (t) => {
  await using folder = await temporaryFolder();
  const args = ["--listen", "127.0.0.1:0", "--no-seeder", "--data", folder.path, "--log-level", "warn"];
  await using _ = await startCommand({ command: "supernode", args });
  const second = await runCommand({ command: "supernode", args });
  t.is(second.exitCode, 41);
  t.regex(second.stderr, /is locked by process \d+\n/);
});
