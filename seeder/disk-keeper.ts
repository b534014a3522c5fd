/**
 * Keeps the seeder's tasks within their room: makes room before a task starts, evicts above the high mark, has tasks
 * leave that are no longer to be kept, and goes on with those that a full disk stopped. Drives; room-plan.ts and
 * retention.ts decide. Invariant: room is promised to one task at a time, and counted until the task itself counts.
 */
import { statfs } from "node:fs/promises";
import type { CacheSize } from "../system/cache-size.ts";
import { SkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import { formatBytes } from "../system/units.ts";
import type { GcResult } from "../torrents/seeder-link.ts";
import { readCacheControl } from "./cache-control.ts";
import { isDue } from "./retention.ts";
import { type CacheLimits, chooseVictims, type DiskFacts, planRoom, quotaOf, type Room } from "./room-plan.ts";
import type { SeederTask } from "./seeder-task.ts";
import type { TaskShelf } from "./task-shelf.ts";

const LOOK_EVERY_MS = 2000;
/** What a full disk stopped is kept for so long: callers wait for the rest of it. */
const WAIT_FOR_ROOM_MS = 10 * 60_000;
/** The last use is written down when it moved on by so much. */
const TOUCH_AFTER_MS = 30_000;

export interface DiskKeeperOptions {
  readonly shelf: TaskShelf;
  readonly data: string;
  readonly limits: CacheLimits;
  readonly logger: Logger;
  readonly nowMs: () => number;
  /** There is room again for what a full disk stopped. */
  onRoom(task: SeederTask): void;
  /** A task of so many stored bytes was removed. */
  onRemoved?(bytes: number): void;
}

export class DiskKeeper {
  readonly #options: DiskKeeperOptions;
  readonly #written = new WeakMap<SeederTask, number>();
  #promisedBytes = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: DiskKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.look()
        .catch((error: unknown) => this.#options.logger.warn({ err: String(error) }, "looking after the disk failed"))
        .finally(() => this.start());
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#turn;
    await Promise.all(this.#options.shelf.tasks.map((task) => this.#noteUse(task, 0)));
  }

  /** Room for so many bytes until it is given back. Rejects with `disk_full`. */
  reserve(neededBytes: number): Promise<Disposable> {
    return this.#inTurn(async () => {
      const { limits, data } = this.#options;
      const disk = await this.#disk();
      const quotaBytes = quotaOf(limits.size, disk);
      if (neededBytes > quotaBytes)
        throw diskFull(`${formatBytes(neededBytes)} do not fit the seeder's cache of ${formatBytes(quotaBytes)}`, false);
      const room = planRoom(limits, disk, neededBytes);
      const freed = room.evictBytes === 0 ? 0 : await this.#evict(room.evictBytes);
      if (freed < room.mustEvictBytes) {
        const missing = formatBytes(room.mustEvictBytes - freed);
        throw diskFull(`no room in ${data} for ${formatBytes(neededBytes)}: ${missing} too few, and nothing more can go`, true);
      }
      this.#promisedBytes += neededBytes;
      return {
        [Symbol.dispose]: () => {
          this.#promisedBytes -= neededBytes;
        },
      };
    });
  }

  /** How things stand. */
  async room(): Promise<Room & DiskFacts> {
    const disk = await this.#disk();
    return { ...disk, ...planRoom(this.#options.limits, disk, 0) };
  }

  /** One round: has go what is due, keeps below the high mark, goes on with what had no room. */
  look(): Promise<void> {
    return this.#inTurn(async () => {
      const { shelf, limits } = this.#options;
      await Promise.all(shelf.tasks.map((task) => this.#noteUse(task, TOUCH_AFTER_MS)));
      for (const task of shelf.tasks) if (this.#isDue(task)) await this.#remove(task, "no longer to be kept");
      const room = planRoom(limits, await this.#disk(), 0);
      await this.#evict(room.evictBytes);
      await this.#retry();
    });
  }

  /** Evicts down to `to`, the low mark where absent, and removes leftovers. */
  collect(to: CacheSize | undefined): Promise<GcResult> {
    return this.#inTurn(async () => {
      const { limits, shelf } = this.#options;
      const disk = await this.#disk();
      const targetBytes = to === undefined ? quotaOf(limits.size, disk) * limits.low : quotaOf(to, disk);
      const before = shelf.tasks.length;
      const freedBytes = await this.#evict(disk.usedBytes - targetBytes);
      const removed = before - shelf.tasks.length;
      return { removed, freedBytes, leftovers: await shelf.removeLeftovers(), usedBytes: disk.usedBytes - freedBytes };
    });
  }

  async #retry(): Promise<void> {
    const { shelf, limits, onRoom } = this.#options;
    for (const task of shelf.tasks) {
      if (task.error?.code !== "disk_full" || task.replaced || task.state !== "failed") continue;
      const room = planRoom(limits, await this.#disk(), task.missingBytes);
      if (room.mustEvictBytes === 0) onRoom(task);
    }
  }

  async #disk(): Promise<DiskFacts> {
    const { bavail, blocks, bsize } = await statfs(this.#options.data);
    let usedBytes = 0;
    let comingBytes = this.#promisedBytes;
    for (const task of this.#options.shelf.tasks) {
      usedBytes += task.storedBytes;
      if (task.state === "live") comingBytes += task.missingBytes;
    }
    return { totalBytes: blocks * bsize, availableBytes: bavail * bsize, usedBytes, comingBytes };
  }

  /** Answers how many bytes went. */
  async #evict(evictBytes: number): Promise<number> {
    const tasks = this.#options.shelf.tasks.map((task) => ({
      id: task.stored.id,
      bytes: task.storedBytes,
      lastUsedMs: task.lastUsedMs,
      pinned: task.stored.pinned,
      active: this.#isNeeded(task),
    }));
    let freed = 0;
    for (const { id, bytes } of chooseVictims(tasks, evictBytes)) {
      const task = this.#options.shelf.find(id);
      if (task === undefined || this.#isNeeded(task) || task.stored.pinned) continue;
      await this.#remove(task, "evicted");
      freed += bytes;
    }
    return freed;
  }

  async #remove(task: SeederTask, why: string): Promise<void> {
    const { shelf, logger, onRemoved } = this.#options;
    const bytes = task.storedBytes;
    logger.info({ task: task.stored.id, bytes, why }, "task removed");
    await shelf.remove(task.stored.id, "evicted");
    onRemoved?.(bytes);
  }

  #isNeeded(task: SeederTask): boolean {
    const waits = task.error?.code === "disk_full" && this.#options.nowMs() - task.lastUsedMs < WAIT_FOR_ROOM_MS;
    return task.active || waits;
  }

  #isDue(task: SeederTask): boolean {
    const { lastUsedMs, active, replaced, goneSinceMs, stored } = task;
    const noStore = !readCacheControl(stored.cacheControl).store;
    return isDue({ nowMs: this.#options.nowMs(), lastUsedMs, active, pinned: stored.pinned, replaced, goneSinceMs, noStore });
  }

  async #noteUse(task: SeederTask, afterMs: number): Promise<void> {
    if (task.wasServed()) task.lastUsedMs = this.#options.nowMs();
    const written = this.#written.get(task) ?? 0;
    if (task.lastUsedMs - written <= afterMs) return;
    this.#written.set(task, task.lastUsedMs);
    await this.#options.shelf.touch(task);
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

function diskFull(message: string, retriable: boolean): SkimmerError {
  return new SkimmerError("disk_full", message, {
    retriable,
    hint: "Free space on the seeder's disk, unpin tasks (supernode cache ls), or raise its --cache-size.",
  });
}
