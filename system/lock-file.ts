/**
 * An exclusive lock as a file: who holds it is written inside, so that the lock of a dead process is recovered.
 * Invariant: of any number of processes at once at most one holds it (the file appears by link(), which is atomic).
 */
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { SkimmerError } from "./errors.ts";

const RETRY_MS = 50;

export interface Lock extends AsyncDisposable {
  readonly path: string;
}

/** Takes the lock, waiting up to `waitMs`. Rejects with SkimmerError `already_running` where a live process holds it. */
export async function acquireLock(path: string, options: { waitMs?: number; signal?: AbortSignal } = {}): Promise<Lock> {
  const deadline = performance.now() + (options.waitMs ?? 0);
  for (;;) {
    options.signal?.throwIfAborted();
    if (await tryLock(path)) return { path, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    const holder = await readLock(path);
    if (holder !== undefined && !(await isAlive(holder))) {
      await breakLock(path, holder);
      continue;
    }
    if (performance.now() >= deadline) {
      throw new SkimmerError("already_running", `${path} is locked by process ${holder?.pid ?? "?"}`, {
        hint: "Another instance uses this folder; stop it, or choose another folder.",
      });
    }
    await sleep(RETRY_MS, undefined, { signal: options.signal });
  }
}

export interface LockHolder {
  readonly pid: number;
  /** Start time of the process as the kernel tells it; empty where it does not. */
  readonly started: string;
}

/** Who holds the lock, or undefined where nobody does or the file is not readable. */
export async function readLock(path: string): Promise<LockHolder | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  const match = /^(\d+) (\d*)\n$/.exec(text);
  return match === null ? undefined : { pid: Number(match[1]), started: match[2] };
}

async function tryLock(path: string): Promise<boolean> {
  const own = `${path}.${process.pid}`;
  await writeFile(own, `${process.pid} ${await startTime(process.pid)}\n`);
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

/** Moves a dead holder's file away; puts it back where somebody else had taken the lock meanwhile. */
async function breakLock(path: string, holder: LockHolder): Promise<void> {
  const grave = `${path}.${process.pid}.stale`;
  await rename(path, grave).catch(() => undefined);
  const moved = await readLock(grave);
  const same = moved?.pid === holder.pid && moved.started === holder.started;
  if (moved !== undefined && !same) await link(grave, path).catch(() => undefined);
  await rm(grave, { force: true });
}

async function isAlive(holder: LockHolder): Promise<boolean> {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const started = await startTime(holder.pid);
  return holder.started === "" || started === "" || started === holder.started;
}

/** Field 22 of /proc/PID/stat; the command name before it may contain spaces and parentheses. */
async function startTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
