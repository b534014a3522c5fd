/**
 * Real commands for e2e tests: started by their launchers, awaited by their ready line, ended by the pid that was started.
 * Everything is bounded in time; output is kept for the message of a failing test.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";

export type CommandName = "dfget" | "dfdaemon" | "supernode" | "seeder" | "start";

export interface CommandInput {
  readonly command: CommandName;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly folder?: string;
  /** Network namespace to run in. */
  readonly namespace?: string;
  readonly timeoutMs?: number;
}

/** A long-running command that printed its ready line. */
export interface RunningCommand extends AsyncDisposable {
  readonly pid: number;
  /** The parsed ready line. */
  readonly ready: Readonly<Record<string, string>>;
  /** What it wrote to standard error so far. */
  stderr(): string;
  /** Sends the signal and waits for the end; SIGKILL after the time limit. Answers the exit code, or the signal's name. */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

/** What a command that ended left. */
export interface CommandResult {
  readonly exitCode: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

const START_TIMEOUT_MS = 20_000;
const RUN_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 12_000;
const POLL_MS = 20;

/** Starts the command and waits for its ready line. Rejects with its output where it ends or stays silent. */
export async function startCommand(input: CommandInput): Promise<RunningCommand> {
  const child = spawnCommand(input);
  const ended = endOf(child);
  const output = collect(child);
  try {
    const timeoutMs = input.timeoutMs ?? START_TIMEOUT_MS;
    const line = await within(
      Promise.race([firstLine(child), ended.then((code) => Promise.reject(new Error(`ended with ${code}`)))]),
      timeoutMs,
    );
    const stop = (signal: NodeJS.Signals = "SIGTERM"): Promise<number | string> => stopChild(child, ended, signal);
    return {
      pid: child.pid as number,
      ready: JSON.parse(line),
      stderr: () => output.stderr,
      stop,
      [Symbol.asyncDispose]: async () => void (await stop()),
    };
  } catch (cause) {
    await stopChild(child, ended, "SIGKILL");
    throw new Error(`${input.command} did not get ready: ${(cause as Error).message}\n${output.stdout}${output.stderr}`, { cause });
  }
}

/** A command that is under way; `result` settles when it has ended. */
export interface StartedCommand {
  readonly pid: number;
  readonly result: Promise<CommandResult>;
  signal(name: NodeJS.Signals): void;
}

/** Starts a command that ends by itself. */
export function beginCommand(input: CommandInput): StartedCommand {
  const child = spawnCommand(input);
  const output = collect(child);
  const ended = endOf(child);
  const result = within(ended, input.timeoutMs ?? RUN_TIMEOUT_MS)
    .catch(() => stopChild(child, ended, "SIGKILL").then(() => "timed out"))
    .then((exitCode) => ({ exitCode, ...output }));
  return { pid: child.pid as number, result, signal: (name) => void child.kill(name) };
}

/** Runs a command to its end. */
export function runCommand(input: CommandInput): Promise<CommandResult> {
  return beginCommand(input).result;
}

/** The last line of standard output, parsed. */
export function lastJson(result: CommandResult): Record<string, unknown> & { from: Record<string, number> } {
  const line = result.stdout.trim().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new Error(`no JSON at the end of the output (exit ${result.exitCode}):\n${result.stdout}${result.stderr}`, { cause });
  }
}

/** The pid of the daemon that dfget started for this home; undefined where none runs. */
export async function daemonPid(home: string): Promise<number | undefined> {
  const text = await readFile(`${home}/dfdaemon.lock`, "utf8").catch(() => "");
  const pid = Number(text.split(" ", 1)[0]);
  return pid > 0 && isAlive(pid) ? pid : undefined;
}

/** Ends the daemon of this home, if there is one, and waits until it is gone. */
export async function stopDaemonOf(home: string, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  const pid = await daemonPid(home);
  if (pid === undefined) return;
  process.kill(pid, signal);
  await until(() => !isAlive(pid), STOP_TIMEOUT_MS);
}

/** Resolves when the condition holds; for what no event tells (other processes, files). Rejects after `timeoutMs`. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A port of the loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** False for zombies too: some machines reap orphans only after a second or two. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" && process.platform !== "linux";
  }
}

/** Nothing that leaves this machine, unless a test asks for it. */
const QUIET = { SKIMMER_LSD: "off", SKIMMER_DHT: "off" };

function spawnCommand({ command, args, env, folder, namespace }: CommandInput): ChildProcess {
  const launcher = fileURLToPath(new URL(`../../bin/${command}.js`, import.meta.url));
  // `ip netns exec` becomes the program: its pid is the command's
  const prefix = namespace === undefined ? [] : ["ip", "netns", "exec", namespace];
  const [program, ...rest] = [...prefix, process.execPath, launcher, ...args];
  return spawn(program, rest, { cwd: folder, env: { ...QUIET, ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: "", stderr: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    output.stderr += text;
  });
  return output;
}

async function endOf(child: ChildProcess): Promise<number | string> {
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  return code ?? signal ?? "unknown";
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    child.stdout?.on("data", (part: string) => {
      text += part;
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
  });
}

async function stopChild(child: ChildProcess, ended: Promise<number | string>, signal: NodeJS.Signals): Promise<number | string> {
  child.kill(signal);
  return within(ended, STOP_TIMEOUT_MS).catch(() => {
    child.kill("SIGKILL");
    return ended;
  });
}

async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`nothing within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
