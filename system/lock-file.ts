/**
 * An exclusive lock as a file: who holds it is written inside, so that the lock of a dead process is recovered.
 * Invariant: of any number of processes at once at most one holds it. The file appears by link(), which is atomic; a
 * dead holder's file is removed by one process at a time, which holds the guard meanwhile: a non-empty folder, put in
 * place by rename(), emptied of dead processes' markers by their names. So nobody's file is removed by mistake.
 */
import { link, mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SkimmerError } from "./errors.ts";

const RETRY_MS = 50;
/** Makes names unique among the attempts of one process. */
let attempts = 0;

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
    if (holder !== undefined && !(await isAlive(holder)) && (await breakLock(path, holder))) continue;
    if (performance.now() >= deadline) {
      throw new SkimmerError("already_running", `${path} is locked by process ${holder?.pid ?? "?"}`, {
        hint: "Another instance uses this folder; stop it, or choose another folder.",
      });
    }
    await sleep(RETRY_MS, undefined, { signal: options.signal });
  }
}

interface LockHolder {
  readonly pid: number;
  /** Start time of the process as the kernel tells it; empty where it does not. */
  readonly started: string;
}

/** A file without sense (power loss): nobody has this pid, so it counts as stale. */
const DAMAGED: LockHolder = { pid: 0, started: "" };

/** Who holds the lock, or undefined where nobody does. */
async function readLock(path: string): Promise<LockHolder | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const match = /^(\d+) (\d*)\n$/.exec(text);
  return match === null ? DAMAGED : { pid: Number(match[1]), started: match[2] };
}

async function tryLock(path: string): Promise<boolean> {
  const own = `${path}.${process.pid}.${++attempts}`;
  await writeFile(own, `${process.pid} ${(await processStat(process.pid)).started}\n`);
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

/** Removes the file of a dead holder. False where another process is about to. */
async function breakLock(path: string, holder: LockHolder): Promise<boolean> {
  const guard = `${path}.break`;
  const marker = await enterGuard(guard);
  if (marker === undefined) return false;
  try {
    const found = await readLock(path);
    if (found?.pid === holder.pid && found.started === holder.started) await rm(path, { force: true });
    return true;
  } finally {
    await rm(marker, { force: true });
    await rmdir(guard).catch(() => undefined);
  }
}

/** Answers the path of our marker in the guard, or undefined where another one is in it. */
async function enterGuard(guard: string): Promise<string | undefined> {
  const staged = `${guard}.${process.pid}.${++attempts}`;
  const name = `${process.pid} ${(await processStat(process.pid)).started}`;
  await mkdir(staged);
  await writeFile(join(staged, name), "");
  try {
    await rename(staged, guard);
    return join(guard, name);
  } catch {
    await rm(staged, { recursive: true, force: true });
    for (const other of await readdir(guard).catch(() => [])) {
      const [pid, started] = other.split(" ");
      if (!(await isAlive({ pid: Number(pid), started }))) await rm(join(guard, other), { force: true });
    }
    // an empty one is replaced by rename() on Linux, but not everywhere
    await rmdir(guard).catch(() => undefined);
    return undefined;
  }
}

async function isAlive(holder: LockHolder): Promise<boolean> {
  if (holder.pid === DAMAGED.pid) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const { state, started } = await processStat(holder.pid);
  // A zombie holds nothing any more; where the first process of a container reaps nobody it would stay for ever.
  if (state === "Z") return false;
  return holder.started === "" || started === "" || started === holder.started;
}

/** Fields 3 and 22 of /proc/PID/stat; the command name before them may contain spaces and parentheses. */
async function processStat(pid: number): Promise<{ state: string; started: string }> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", started: fields[19] ?? "" };
}
