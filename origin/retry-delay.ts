/**
 * How long to wait before an origin is asked again. Decides: randomness is an argument.
 */
const FIRST_MS = 200;
const MOST_MS = 10_000;
const MOST_ASKED_MS = 60_000;

/** Exponential back-off with full jitter; what the origin asked for by Retry-After counts, within bounds. */
export function retryDelayMs(failure: { tries: number; retryAfterMs: number | undefined }, random: () => number): number {
  if (failure.retryAfterMs !== undefined) return Math.min(MOST_ASKED_MS, failure.retryAfterMs) + random() * FIRST_MS;
  return FIRST_MS / 2 + random() * Math.min(MOST_MS, FIRST_MS * 2 ** failure.tries);
}

/** Retry-After (RFC 9110 10.2.3): seconds, or a date. Undefined where it is neither. */
export function parseRetryAfter(text: string | undefined, nowEpochMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowEpochMs);
}
