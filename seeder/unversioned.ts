/**
 * Content for which the origin sends nothing that tells its versions apart: how long one download of it counts as the
 * current version. Decides: time is an argument. Bounded: the oldest entry goes, and its content is fetched anew.
 */
import type { TaskId } from "../torrents/ids.ts";

/** Callers who come within this time share a download, however long that takes. */
const SHARED_MS = 30_000;
const MOST_ENTRIES = 10_000;

interface Version {
  readonly id: TaskId;
  readonly lengthBytes: number;
  readonly freshUntilMs: number;
}

export interface Facts {
  readonly lengthBytes: number;
  readonly nowMs: number;
  /** For how long the origin says that its answer holds. */
  readonly freshMs: number;
  /** Whether the task is still being fetched. */
  isLive(id: TaskId): boolean;
  /** An id that nobody has yet. */
  make(): TaskId;
}

export class Unversioned {
  readonly #versions = new Map<string, Version>();

  /** The current version's id, or that of a new one. */
  identify(key: string, facts: Facts): TaskId {
    const known = this.#versions.get(key);
    const current = known !== undefined && (facts.nowMs < known.freshUntilMs || facts.isLive(known.id));
    if (current && known.lengthBytes === facts.lengthBytes) return known.id;
    const id = facts.make();
    this.#put(key, { id, lengthBytes: facts.lengthBytes, freshUntilMs: facts.nowMs + Math.max(SHARED_MS, facts.freshMs) });
    return id;
  }

  /** A version of the last run. */
  restore(key: string, version: { id: TaskId; lengthBytes: number; sinceMs: number }): void {
    this.#put(key, { id: version.id, lengthBytes: version.lengthBytes, freshUntilMs: version.sinceMs + SHARED_MS });
  }

  #put(key: string, version: Version): void {
    this.#versions.delete(key);
    this.#versions.set(key, version);
    if (this.#versions.size > MOST_ENTRIES) this.#versions.delete(this.#versions.keys().next().value as string);
  }
}
