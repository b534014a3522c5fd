/**
 * Which torrents stop being served to browsers. Decides.
 *
 * A torrent has a seat, which is a swarm at the supernode's WebSocket tracker, for as long as browsers take something from it.
 */

/** More are not served at once. */
export const MOST_SEATS = 50;
/** Without connections: browsers that come later have it called again. */
export const EMPTY_MS = 60_000;
/** With connections over which nothing goes: pages that were left open. */
export const STILL_MS = 10 * 60_000;
/** Where others wait for a seat. */
const GIVES_WAY_MS = 15_000;

export interface Seat {
  readonly connections: number;
  /** A block was read for it, or it was called, at that time. */
  readonly usedMs: number;
}

/** Whether its time is over. */
export function isOver({ connections, usedMs }: Seat, nowMs: number): boolean {
  return nowMs - usedMs >= (connections === 0 ? EMPTY_MS : STILL_MS);
}

/** Of all seats the one that is given to another torrent: the longest unused; undefined: all are in use. */
export function givesWay<Each extends Seat>(seats: readonly Each[], nowMs: number): Each | undefined {
  const idle = seats.filter(({ usedMs }) => nowMs - usedMs >= GIVES_WAY_MS);
  return idle.reduce<Each | undefined>((oldest, seat) => (oldest === undefined || seat.usedMs < oldest.usedMs ? seat : oldest), undefined);
}
