/**
 * How an origin is read in parallel: how many pieces a connection takes at once, and how many connections there are. Decides.
 *
 * Runs begin short, so that the first pieces are live early, and grow with a connection's speed until a run takes
 * about RUN_SECONDS, so that request overhead vanishes; near the end they shrink again, so that all finish together.
 */
const RUN_SECONDS = 0.5;
const MOST_RUN_BYTES = 16 * 1024 * 1024;

/** Pieces that a connection should claim next. */
export function runPieces(now: { bytesPerSecond: number; pieceLengthBytes: number; missingPieces: number; connections: number }): number {
  const wanted = Math.min(MOST_RUN_BYTES, now.bytesPerSecond * RUN_SECONDS) / now.pieceLengthBytes;
  const share = now.missingPieces / Math.max(1, now.connections);
  return Math.max(1, Math.floor(Math.min(wanted, share)));
}
