/**
 * How an origin is read in parallel: how many pieces a connection takes at once, how many connections there are, and which
 * of them is too slow to wait for. Decides.
 *
 * Runs begin short, so that the first pieces are live early, and grow with a connection's speed until a run takes
 * about RUN_SECONDS, so that request overhead vanishes; near the end they shrink again, so that all finish together, but not
 * to less than a request is worth: docker's registry reads 4 MiB of the file for each (measured: an image of 200 MiB took 261 requests,
 * which cost it 2 CPU seconds; like this some 120).
 */
const RUN_SECONDS = 1;
const MOST_RUN_BYTES = 16 * 1024 * 1024;
const LEAST_SHARE_BYTES = 2 * 1024 * 1024;

/** Pieces that a connection should claim next; `bytesPerSecond` 0: its speed is not known yet. */
export function runPieces(now: { bytesPerSecond: number; pieceLengthBytes: number; missingPieces: number; connections: number }): number {
  const { bytesPerSecond, pieceLengthBytes, missingPieces, connections } = now;
  const share = Math.max(LEAST_SHARE_BYTES, (missingPieces * pieceLengthBytes) / Math.max(1, connections));
  const wanted = Math.min(MOST_RUN_BYTES, bytesPerSecond * RUN_SECONDS, share);
  return Math.max(1, Math.floor(wanted / pieceLengthBytes));
}

/** Connections that are opened at once, before anything is known of the origin. */
export const FIRST_CONNECTIONS = 4;
/** What of so many connections is one task's, where others read from the same host: they share what more than one connection brings. */
export function shareOf(connections: number, others: number): number {
  return Math.max(1, Math.floor(connections / (others + 1)));
}

/** Twice the connections must bring at least this much more, or they go again. */
const LEAST_GAIN = 1.1;
/** Samples for which a number is kept before more is tried again. */
const HOLD_SAMPLES = 15;

/** What is known of how many connections pay. */
export interface Growth {
  readonly connections: number;
  /** Those before the last step up; where that does not pay they come back. */
  readonly before: number;
  /** Rate at `before`; undefined: not measured yet. */
  readonly rateBefore: number | undefined;
  /** Samples still to wait before the next step up. */
  readonly hold: number;
}

export function firstGrowth(most: number): Growth {
  const connections = Math.min(FIRST_CONNECTIONS, most);
  return { connections, before: connections, rateBefore: undefined, hold: 1 };
}

/** After each sample of the whole rate: more while more pays, fewer where it does not, half where the origin is busy. */
export function nextGrowth(now: Growth, sample: { bytesPerSecond: number; isBusy: boolean; most: number }): Growth {
  const { connections, before, rateBefore, hold } = now;
  const { bytesPerSecond, isBusy, most } = sample;
  if (isBusy) return settled(Math.max(1, Math.floor(connections / 2)));
  if (hold > 0) return { ...now, hold: hold - 1 };
  const hasPaid = rateBefore === undefined || connections === before || bytesPerSecond >= rateBefore * LEAST_GAIN;
  if (!hasPaid) return settled(before);
  if (connections >= most) return settled(connections);
  // one sample passes before the new connections are up to speed
  return { connections: Math.min(most, connections * 2), before: connections, rateBefore: bytesPerSecond, hold: 1 };
}

function settled(connections: number): Growth {
  return { connections, before: connections, rateBefore: undefined, hold: HOLD_SAMPLES };
}

const SLOW_SHARE = 1 / 8;
/** A connection that far behind is watched for this long first, and left if its run would take longer still. */
export const SLOW_WINDOW_MS = 3_000;
/** Below this an origin only pretends to send. */
const LEAST_BYTES_PER_SECOND = 1_024;
export const DRIP_WINDOW_MS = 30_000;

export interface PaceSample {
  /** Bytes that came over the connection in the window, and how long it is. */
  readonly windowBytes: number;
  readonly windowMs: number;
  readonly leftBytes: number;
  /** What a connection to this origin brings as a rule; undefined: not known. */
  readonly typicalBytesPerSecond: number | undefined;
}

/** `drip`: slower than any honest origin. `behind`: another connection would be done sooner. */
export function judgePace(sample: PaceSample): "good" | "behind" | "drip" {
  const { windowBytes, windowMs, leftBytes, typicalBytesPerSecond = 0 } = sample;
  const rate = (windowBytes / windowMs) * 1000;
  if (windowMs >= DRIP_WINDOW_MS && rate < LEAST_BYTES_PER_SECOND) return "drip";
  const isBehind = windowMs >= SLOW_WINDOW_MS && rate < typicalBytesPerSecond * SLOW_SHARE;
  return isBehind && leftBytes > (rate * SLOW_WINDOW_MS) / 1000 ? "behind" : "good";
}

/**
 * How many of the pieces that a run has not begun another connection should take over; 0: it is not worth it, or nobody
 * can tell yet.
 */
export function piecesToCede(run: { untouchedPieces: number; leftBytes: number; bytesPerSecond: number | undefined }): number {
  const isLong = run.bytesPerSecond !== undefined && run.leftBytes > (run.bytesPerSecond * SLOW_WINDOW_MS) / 1000;
  return isLong ? Math.ceil(run.untouchedPieces / 2) : 0;
}
