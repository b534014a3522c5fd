/**
 * When a torrent announces next. Decides.
 * The tracker's interval rules, within bounds; a download that gets nothing asks sooner; failures back off.
 */

export const MIN_INTERVAL_MS = 5_000;
export const MAX_INTERVAL_MS = 30 * 60_000;
export const DEFAULT_INTERVAL_MS = 60_000;
/** A starving download asks this often, whatever the interval, but never under the tracker's own minimum. */
export const STARVING_INTERVAL_MS = 5_000;
/** Trackers of strangers are asked by many more than ours: a starving download waits so long between two questions. */
export const PATIENT_STARVING_INTERVAL_MS = 60_000;
const FIRST_RETRY_MS = 1_000;

export interface AnnounceFacts {
  /** Interval and minimum of the last good answer, seconds; undefined: none. */
  readonly intervalS: number | undefined;
  readonly minIntervalS: number | undefined;
  /** The download wants more peers than it has. */
  readonly starving: boolean;
  readonly starvingIntervalMs: number;
  /** 0 ≤ random < 1, spreads announces of many hosts. */
  readonly random: number;
}

/** Milliseconds until the next announce, after one that was answered. */
export function nextAnnounceMs(facts: AnnounceFacts): number {
  const minimumMs = clamp((facts.minIntervalS ?? 0) * 1000);
  const spread = 0.9 + facts.random / 5;
  const intervalMs = Math.max(minimumMs, clamp(facts.intervalS === undefined ? DEFAULT_INTERVAL_MS : facts.intervalS * 1000));
  if (!facts.starving) return intervalMs * spread;
  return Math.min(intervalMs, Math.max(minimumMs, facts.starvingIntervalMs)) * spread;
}

/** Milliseconds that a tracker rests after so many failures in a row. */
export function retryDelayMs({ failures, mostMs, random }: { failures: number; mostMs: number; random: number }): number {
  return Math.min(mostMs, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20)) * (0.75 + random / 2);
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
