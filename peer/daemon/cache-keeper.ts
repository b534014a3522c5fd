/**
 * Keeps the host's store within its quota and age. Drives: looks every now and then, and after each download.
 * Counts only the store's own bytes, as the disk has them; what others keep on the same disk is not ours to count.
 */
import { readdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { CacheSize } from "../../system/cache-size.ts";
import type { Logger } from "../../system/logger.ts";
import { type CachedTask, chooseEvictions } from "./cache-policy.ts";
import type { OpenRuns } from "./open-runs.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { TaskIndex } from "./task-index.ts";

const CHECK_MS = 30_000;
const STAT_BLOCK_BYTES = 512;
const DATA_FILE = "data";
const FILES_FOLDER = "files";

export interface CacheKeeperOptions {
  /** Most content; 0 bytes: no bound. A share is of the file system that `home` is on. */
  readonly size: CacheSize;
  readonly home: string;
  /** A task not used for longer goes; 0: never. */
  readonly expireMs: number;
  readonly index: TaskIndex;
  readonly runs: OpenRuns;
  readonly epochMs: () => number;
  readonly logger: Logger;
}

export class CacheKeeper implements Disposable {
  readonly #options: CacheKeeperOptions;
  readonly #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;

  constructor(options: CacheKeeperOptions) {
    this.#options = options;
    if (!this.#isBounded) return;
    const everyMs = options.expireMs === 0 ? CHECK_MS : Math.min(CHECK_MS, Math.max(100, options.expireMs / 2));
    this.#timer = setInterval(() => void this.check(), everyMs);
    this.#timer.unref();
  }

  /** Removes what is too much or too old; calls at the same time share one look. Never rejects. */
  check(): Promise<void> {
    if (!this.#isBounded) return Promise.resolve();
    this.#checking ??= this.#check()
      .catch((error: unknown) => this.#options.logger.warn({ err: error }, "the store could not be looked through"))
      .finally(() => {
        this.#checking = undefined;
      });
    return this.#checking;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  get #isBounded(): boolean {
    const { size, expireMs } = this.#options;
    return expireMs > 0 || "share" in size || size.bytes > 0;
  }

  async #quotaBytes(): Promise<number> {
    const { size, home } = this.#options;
    if ("bytes" in size) return size.bytes;
    const disk = await statfs(home);
    // 0 would mean no bound
    return Math.max(1, Math.floor(disk.blocks * disk.bsize * size.share));
  }

  async #check(): Promise<void> {
    const { index, runs, epochMs, expireMs, logger } = this.#options;
    const limits = { quotaBytes: await this.#quotaBytes(), expireMs };
    const tasks = await Promise.all(index.list().map((entry) => this.#describe(entry)));
    for (const infoHash of chooseEvictions(tasks, limits, epochMs())) {
      // it may have come into use while others were removed
      if (runs.isHeld(infoHash)) continue;
      logger.info({ infoHash, name: index.get(infoHash)?.name }, "evicted");
      await runs.remove(infoHash);
    }
  }

  async #describe(entry: TaskEntry): Promise<CachedTask<TaskEntry["infoHash"]>> {
    const { index, runs } = this.#options;
    return {
      id: entry.infoHash,
      diskBytes: await contentBytesOnDisk(index.directory(entry.infoHash)),
      lastUsedAtMs: entry.lastUsedAtMs,
      held: entry.pinned === true || runs.isHeld(entry.infoHash),
    };
  }
}

/** Bytes of the task's content that are the store's alone: a file that is an output too costs nothing. */
async function contentBytesOnDisk(directory: string): Promise<number> {
  const folder = join(directory, FILES_FOLDER);
  const numbers = await readdir(folder).catch(() => []);
  const paths = numbers.length === 0 ? [join(directory, DATA_FILE)] : numbers.map((number) => join(folder, number));
  let bytes = 0;
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.nlink === 1) bytes += found.blocks * STAT_BLOCK_BYTES;
  }
  return bytes;
}
