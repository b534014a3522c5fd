/**
 * When a torrent announces next. Decides.
 * The tracker's interval rules, within bounds; a download that gets nothing asks sooner; failures back off.
 */

export const MIN_INTERVAL_MS = 5_000;
export const MAX_INTERVAL_MS = 30 * 60_000;
export const DEFAULT_INTERVAL_MS = 60_000;
/** A starving download asks this often, whatever the interval, but never under the tracker's own minimum. */
export const STARVING_INTERVAL_MS = 5_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

export interface AnnounceFacts {
  /** Interval and minimum of the last good answer, seconds; undefined: none. */
  readonly intervalS: number | undefined;
  readonly minIntervalS: number | undefined;
  /** Failures in a row, all trackers together. */
  readonly failures: number;
  /** The download wants more peers than it has. */
  readonly starving: boolean;
  /** 0 ≤ random < 1, spreads announces of many hosts. */
  readonly random: number;
}

/** Milliseconds until the next announce. */
export function nextAnnounceMs(facts: AnnounceFacts): number {
  if (facts.failures > 0) {
    const base = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(facts.failures - 1, 10));
    return base * (0.75 + facts.random / 2);
  }
  const minimumMs = clamp((facts.minIntervalS ?? 0) * 1000);
  if (facts.starving) return Math.max(minimumMs, STARVING_INTERVAL_MS) * (0.9 + facts.random / 5);
  const intervalMs = facts.intervalS === undefined ? DEFAULT_INTERVAL_MS : facts.intervalS * 1000;
  return Math.max(minimumMs, clamp(intervalMs)) * (0.9 + facts.random / 5);
}

/** Per cent of the upload limit that is unused; undefined where there is none. */
export function spareShare(upload: { readonly bytesPerSecond: number; readonly limitBytesPerSecond: number }): number | undefined {
  const { bytesPerSecond, limitBytesPerSecond } = upload;
  if (limitBytesPerSecond === 0) return undefined;
  return Math.round(100 * Math.max(0, 1 - bytesPerSecond / limitBytesPerSecond));
}

function clamp(ms: number): number {
  return Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, ms));
}
