/**
 * Which tasks have to leave although there is room for them. Decides: time is an argument.
 */

/** A version that the origin replaced leaves when nobody has used it for so long. */
export const DRAIN_MS = 60_000;
/** Content that the origin has no more leaves after so long; it may have been a mistake there. */
export const GONE_GRACE_MS = 60_000;
/** Content that must not be stored leaves when nobody has used it for so long: callers who registered may still connect. */
export const NO_STORE_MS = 15_000;

export interface RetentionFacts {
  readonly nowMs: number;
  /** The last registration, or piece served. */
  readonly lastUsedMs: number;
  /** It is fetched, or a peer that lacks pieces is connected. */
  readonly active: boolean;
  readonly pinned: boolean;
  /** The origin told another version since. */
  readonly replaced: boolean;
  /** Since when the origin says that it is not there; undefined: it is. */
  readonly goneSinceMs: number | undefined;
  readonly noStore: boolean;
}

/** Whether the task is to be removed now. */
export function isDue(facts: RetentionFacts): boolean {
  if (facts.active || facts.pinned) return false;
  const idleMs = facts.nowMs - facts.lastUsedMs;
  if (facts.noStore && idleMs >= NO_STORE_MS) return true;
  if (facts.goneSinceMs !== undefined && facts.nowMs - facts.goneSinceMs >= GONE_GRACE_MS) return true;
  return facts.replaced && idleMs >= DRAIN_MS;
}
