/**
 * Which stored tasks go when the store is over its quota or they are too old. Decides: least recently used first.
 * Invariant: what is in use or pinned never goes.
 */
export interface CachedTask<Id> {
  readonly id: Id;
  /** Bytes on disk that removing it frees: none for a file that is an output too. */
  readonly diskBytes: number;
  readonly lastUsedAtMs: number;
  /** A request waits for it, or it was pinned. */
  readonly held: boolean;
}

export interface CacheLimits {
  /** Most bytes of the store; 0: no bound. */
  readonly quotaBytes: number;
  /** A task not used for longer goes; 0: never. */
  readonly expireMs: number;
}

/** The tasks to remove now, the least recently used first. */
export function chooseEvictions<Id>(tasks: readonly CachedTask<Id>[], limits: CacheLimits, nowMs: number): Id[] {
  const candidates = tasks.filter((task) => !task.held).sort((a, b) => a.lastUsedAtMs - b.lastUsedAtMs);
  let total = tasks.reduce((sum, { diskBytes }) => sum + diskBytes, 0);
  const gone: Id[] = [];
  for (const task of candidates) {
    const expired = limits.expireMs > 0 && nowMs - task.lastUsedAtMs > limits.expireMs;
    const over = limits.quotaBytes > 0 && total > limits.quotaBytes && task.diskBytes > 0;
    if (!expired && !over) continue;
    total -= task.diskBytes;
    gone.push(task.id);
  }
  return gone;
}
