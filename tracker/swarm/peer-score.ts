/**
 * Which peer is better for whom: the weights of scheduling, all in this place (explained in docs/tracker.md). Decides.
 *
 * A score is a whole number from 0 to MOST_SCORE. Nearness outweighs everything else together, so that the order is: the nearest first,
 * among the equally near those with upload to spare and a good record, and of those the ones that were handed out least.
 */
import { UNKNOWN_SHARE } from "./ask.ts";

export const WEIGHTS = {
  /** For nearness 1; see `nearness` and ADDRESS_SCORES. */
  near: 400,
  /** For an upload that is wholly unused; a peer that says nothing counts as half. */
  spare: 30,
  /** For pieces that all came well, by the reports of others; unreported counts as three quarters. */
  success: 40,
  /** For who holds everything. */
  complete: 5,
  /** Off, for each time that it was handed out since its own last announces … */
  given: 1,
  /** … but no more than this. */
  givenMost: 20,
} as const;

export const MOST_SCORE = WEIGHTS.near + WEIGHTS.spare + WEIGHTS.success + WEIGHTS.complete;

/** Of the peers in an answer, the share that is taken at random from the rest, so that sites stay connected with each other. */
export const FAR_SHARE = 0.1;
/** From this nearness on a peer counts as near … */
export const NEAR_SCORE = 0.6 * WEIGHTS.near;
/** … and who said where it is and gets so many near peers … */
export const ENOUGH_NEAR = 8;
/** … gets so many far ones and no more, although there is room: each far link carries its part, and every announce adds some. */
export const FAR_BESIDE_NEAR = 2;

/** Nearness by labels. `location`: this much for all levels in common, less for fewer. */
const NEARNESS = { idc: 1, idcButOtherPlace: 0.9, location: 0.8 } as const;

/** Where a host is. */
export interface Site {
  /** Empty: not said. */
  readonly idc: string;
  /** From the widest place to the narrowest. */
  readonly location: readonly string[];
}

/** Two labelled sites, 0 to 1. */
export function nearness(one: Site, other: Site): number {
  const most = Math.max(one.location.length, other.location.length);
  let shared = 0;
  while (shared < most && one.location[shared] === other.location[shared]) shared++;
  const place = most === 0 ? 0 : shared / most;
  if (one.idc !== "" && one.idc === other.idc) return most === 0 || shared === most ? NEARNESS.idc : NEARNESS.idcButOtherPlace;
  // a different IDC is said to be elsewhere, whatever the beginnings of the locations have in common
  return place * NEARNESS.location * (one.idc !== "" && other.idc !== "" ? 0.5 : 1);
}

/** What a share adds, in per cent or UNKNOWN_SHARE; read by its number. */
export const SCORES = {
  spare: Uint8Array.from({ length: 256 }, (_, share) => Math.round((shareOf(share, 50) * WEIGHTS.spare) / 100)),
  success: Uint8Array.from({ length: 256 }, (_, share) => Math.round((shareOf(share, 75) * WEIGHTS.success) / 100)),
} as const;

/** What nearness by address adds: the same host, IPv4 /24 or IPv6 /64, IPv4 /16 or IPv6 /48. */
export const ADDRESS_SCORES = {
  host: WEIGHTS.near,
  subnet: Math.round(0.9 * WEIGHTS.near),
  network: Math.round(0.4 * WEIGHTS.near),
} as const;

function shareOf(share: number, unknown: number): number {
  return share === UNKNOWN_SHARE ? unknown : Math.min(100, share);
}
