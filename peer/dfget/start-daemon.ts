/**
 * Starts the host daemon where none listens. Drives.
 * However many dfgets come at once, one of them starts it (start.lock) and the others wait for its socket.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, rename, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SkimmerError } from "../../system/errors.ts";
import { EXIT_CODES } from "../../system/exit-codes.ts";
import { acquireLock } from "../../system/lock-file.ts";
import type { DaemonPlace } from "./daemon-place.ts";
import { isListening } from "./daemon-socket.ts";

/** A daemon that dfget started leaves after so long without a request. */
const IDLE_EXIT = "5m";
const START_TIMEOUT_MS = 15_000;
const POLL_MS = 10;
/** A daemon that is just leaving still holds the lock for a moment. */
const RETRY_MS = 100;
const MAX_LOG_BYTES = 4 * 1024 * 1024;
const TAIL_BYTES = 2_000;

export interface StartOptions extends DaemonPlace {
  readonly signal: AbortSignal;
}

/** Resolves when a daemon listens. Rejects with SkimmerError `daemon_unreachable`, or the reason of `signal`. */
export async function startDaemon(options: StartOptions): Promise<void> {
  const { paths, signal } = options;
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  await mkdir(paths.home, { recursive: true, mode: 0o700 }).catch((cause: Error) => {
    throw new SkimmerError("daemon_unreachable", `cannot make the folder ${paths.home}: ${cause.message}`, {
      hint: "Give another one with --home.",
      cause,
    });
  });
  await using _ = await acquireLock(paths.startLock, { signal, waitMs: START_TIMEOUT_MS });
  while (!(await isListening(paths.socket))) {
    signal.throwIfAborted();
    const exitCode = await startOnce(options, deadlineMs);
    if (exitCode === undefined) return;
    const leaving = exitCode === EXIT_CODES.already_running && performance.now() < deadlineMs;
    if (!leaving)
      throw new SkimmerError("daemon_unreachable", `the host daemon did not start: ${await lastWords(paths.log)}`, {
        hint: `Its log is ${paths.log}.`,
      });
    await sleep(RETRY_MS, undefined, { signal });
  }
}

/** Starts the process and waits for its socket; answers its exit code where it ended instead. */
async function startOnce(options: StartOptions, deadlineMs: number): Promise<number | undefined> {
  const { paths, signal, token } = options;
  await rotateLog(paths.log);
  await using log = await open(paths.log, "a", 0o600);
  const { SKIMMER_PARENT_PIPE: _, ...env } = process.env;
  const child = spawn(process.execPath, [findLauncher(), ...argumentsFor(options)], {
    detached: true,
    cwd: paths.home,
    // not as an argument, which anyone on this machine can list
    env: token === undefined ? env : { ...env, SKIMMER_TOKEN: token },
    stdio: ["ignore", log.fd, log.fd],
  });
  child.unref();
  let exitCode: number | undefined;
  child.once("exit", (code) => {
    exitCode = code ?? 1;
  });
  child.once("error", () => {
    exitCode = 1;
  });
  while (exitCode === undefined) {
    if (await isListening(paths.socket)) return undefined;
    if (performance.now() > deadlineMs)
      throw new SkimmerError("daemon_unreachable", `the host daemon does not answer after ${START_TIMEOUT_MS / 1000} s`, {
        hint: `Its log is ${paths.log}.`,
      });
    await sleep(POLL_MS, undefined, { signal });
  }
  return exitCode;
}

function argumentsFor({ paths, socketGiven, supernodes, daemonArguments }: StartOptions): string[] {
  return [
    "--home",
    paths.home,
    "--idle-exit",
    IDLE_EXIT,
    ...(socketGiven ? ["--socket", paths.socket] : []),
    ...(supernodes === undefined ? [] : ["--supernode", supernodes.join(",")]),
    // the last mention of an option counts
    ...daemonArguments,
  ];
}

/** bin/dfdaemon.js: two folders up in the checkout, three in the package (dist/). */
function findLauncher(): string {
  const candidates = ["../../bin/dfdaemon.js", "../../../bin/dfdaemon.js"].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) throw new SkimmerError("internal", `the daemon's launcher is missing: ${candidates[0]}`);
  return found;
}

/** The log of auto-started daemons is bounded: at most two files of MAX_LOG_BYTES and what one life writes. */
async function rotateLog(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && found.size > MAX_LOG_BYTES) await rename(path, `${path}.1`).catch(() => undefined);
}

async function lastWords(path: string): Promise<string> {
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, Math.max(0, size - TAIL_BYTES));
    const lines = buffer.toString("utf8", 0, bytesRead).trim().split("\n");
    return lines.findLast((line) => line.startsWith("dfdaemon: "))?.slice("dfdaemon: ".length) ?? lines.at(-1) ?? "it left no word";
  } catch {
    return "it left no log";
  }
}
