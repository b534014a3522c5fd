/**
 * Keeps the host's store within its quota and age. Drives: looks every now and then, and after each download.
 * Counts only the store's own bytes, as the disk has them; what others keep on the same disk is not ours to count.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../../system/logger.ts";
import { type CachedTask, type CacheLimits, chooseEvictions } from "./cache-policy.ts";
import type { OpenRuns } from "./open-runs.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { TaskIndex } from "./task-index.ts";

const CHECK_MS = 30_000;
const STAT_BLOCK_BYTES = 512;
const DATA_FILE = "data";

export interface CacheKeeperOptions extends CacheLimits {
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
    if (options.quotaBytes === 0 && options.expireMs === 0) return;
    const everyMs = options.expireMs === 0 ? CHECK_MS : Math.min(CHECK_MS, Math.max(100, options.expireMs / 2));
    this.#timer = setInterval(() => void this.check(), everyMs);
    this.#timer.unref();
  }

  /** Removes what is too much or too old; calls at the same time share one look. Never rejects. */
  check(): Promise<void> {
    if (this.#options.quotaBytes === 0 && this.#options.expireMs === 0) return Promise.resolve();
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

  async #check(): Promise<void> {
    const { index, runs, epochMs, logger } = this.#options;
    const tasks = await Promise.all(index.list().map((entry) => this.#describe(entry)));
    for (const infoHash of chooseEvictions(tasks, this.#options, epochMs())) {
      // it may have come into use while others were removed
      if (runs.isHeld(infoHash)) continue;
      logger.info({ infoHash, name: index.get(infoHash)?.name }, "evicted");
      await runs.remove(infoHash);
    }
  }

  async #describe(entry: TaskEntry): Promise<CachedTask<TaskEntry["infoHash"]>> {
    const { index, runs } = this.#options;
    const found = await stat(join(index.directory(entry.infoHash), DATA_FILE)).catch(() => undefined);
    const shared = (found?.nlink ?? 1) > 1;
    return {
      id: entry.infoHash,
      diskBytes: shared ? 0 : (found?.blocks ?? 0) * STAT_BLOCK_BYTES,
      lastUsedAtMs: entry.lastUsedAtMs,
      held: entry.pinned === true || runs.isHeld(entry.infoHash),
    };
  }
}
