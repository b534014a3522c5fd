/**
 * Room on the seeder's disk: how much may be used, how much has to go, and which tasks go first. Decides.
 * Only the seeder's own bytes count; what others have on the file system shows as less room that is free.
 */
import { type CacheSize, parseCacheSize } from "../system/cache-size.ts";
import type { TaskId } from "../torrents/ids.ts";

const MIB = 1024 * 1024;
/** Left free on the file system: a fiftieth of it, within these bounds. */
const LEAST_RESERVE_BYTES = 16 * MIB;
const MOST_RESERVE_BYTES = 1024 * MIB;
const RESERVE_SHARE = 0.02;
/** Each holds two open files. */
const MOST_TASKS = 10_000;

/** As for the size of a cache, where 0 is all of the file system. */
export function parseQuota(text: string): CacheSize {
  const size = parseCacheSize(text);
  return "bytes" in size && size.bytes === 0 ? { share: 1 } : size;
}

export interface DiskFacts {
  /** Of the file system that the data folder is on. */
  readonly totalBytes: number;
  readonly availableBytes: number;
  /** Content that the seeder holds. */
  readonly usedBytes: number;
  /** Content that running fetches will still bring. */
  readonly comingBytes: number;
}

export interface CacheLimits {
  readonly size: CacheSize;
  /** Shares of the size: above the first tasks are evicted, until the second is reached. */
  readonly high: number;
  readonly low: number;
}

export interface Room {
  readonly quotaBytes: number;
  /** So much should go. */
  readonly evictBytes: number;
  /** So much must go, or there is no room. */
  readonly mustEvictBytes: number;
}

/** What has to happen before `neededBytes` more are fetched; 0 asks how things stand. */
export function planRoom(limits: CacheLimits, disk: DiskFacts, neededBytes: number): Room {
  const quotaBytes = quotaOf(limits.size, disk);
  const reserveBytes = Math.min(MOST_RESERVE_BYTES, Math.max(LEAST_RESERVE_BYTES, disk.totalBytes * RESERVE_SHARE));
  const wantedBytes = disk.usedBytes + disk.comingBytes + neededBytes;
  const mustEvictBytes = Math.max(0, wantedBytes - quotaBytes, reserveBytes + disk.comingBytes + neededBytes - disk.availableBytes);
  const overHigh = wantedBytes > quotaBytes * limits.high;
  const evictBytes = Math.max(mustEvictBytes, overHigh ? wantedBytes - quotaBytes * limits.low : 0);
  return { quotaBytes, evictBytes: Math.ceil(evictBytes), mustEvictBytes: Math.ceil(mustEvictBytes) };
}

/** The cache's size in bytes. */
export function quotaOf(size: CacheSize, disk: Pick<DiskFacts, "totalBytes">): number {
  return "bytes" in size ? size.bytes : Math.floor(size.share * disk.totalBytes);
}

export interface Evictable {
  readonly id: TaskId;
  readonly bytes: number;
  readonly lastUsedMs: number;
  readonly pinned: boolean;
  /** It is fetched, or a peer that lacks pieces is connected. */
  readonly active: boolean;
}

/**
 * Who goes so that `evictBytes` become free, and no more than MOST_TASKS are left: the least recently used first, never
 * what is pinned or active.
 */
export function chooseVictims(tasks: readonly Evictable[], evictBytes: number): Evictable[] {
  const idle = tasks.filter(({ pinned, active }) => !pinned && !active);
  const victims: Evictable[] = [];
  let freed = 0;
  for (const task of idle.sort((one, other) => one.lastUsedMs - other.lastUsedMs)) {
    const crowded = tasks.length - victims.length > MOST_TASKS;
    if (freed >= evictBytes && !crowded) break;
    if (task.bytes === 0 && !crowded) continue;
    victims.push(task);
    freed += task.bytes;
  }
  return victims;
}
