/**
 * Which missing pieces are read from the origin next. Decides.
 *
 * In order, where one reads for all (a seeder, a host alone) or a reader waits for them. Where many hosts of a swarm read the
 * same rest, each takes pieces that fewest of its peers have, at a random place, so that they complement each other.
 */
import type { Claim } from "./types.ts";

export interface ClaimFacts {
  readonly pieceCount: number;
  readonly mostPieces: number;
  /** Missing, wanted, and nobody brings it. */
  isNeeded(index: number): boolean;
  /** How many connected peers have it; undefined: in order. */
  readonly availability: ((index: number) => number) | undefined;
  /** Where a reader waits; undefined: nowhere. */
  readonly cursor: number | undefined;
}

/** A run of pieces; undefined: none is needed. */
export function planClaim(facts: ClaimFacts, random: () => number): Claim | undefined {
  const { pieceCount, mostPieces, isNeeded, availability, cursor } = facts;
  const inOrder = cursor ?? (availability === undefined ? 0 : undefined);
  const first = inOrder === undefined ? rarest(facts, random) : (nextNeeded(facts, inOrder) ?? nextNeeded(facts, 0));
  if (first === undefined) return undefined;
  const fits = (index: number): boolean =>
    isNeeded(index) && (inOrder !== undefined || availability === undefined || availability(index) === availability(first));
  let count = 1;
  while (count < mostPieces && first + count < pieceCount && fits(first + count)) count++;
  return { first, count };
}

function nextNeeded({ pieceCount, isNeeded }: ClaimFacts, from: number): number | undefined {
  for (let index = from; index < pieceCount; index++) if (isNeeded(index)) return index;
  return undefined;
}

/** The first needed piece behind a random place of those that fewest have. */
function rarest({ pieceCount, isNeeded, availability = () => 0 }: ClaimFacts, random: () => number): number | undefined {
  const start = Math.floor(random() * pieceCount);
  let best: number | undefined;
  for (let step = 0; step < pieceCount; step++) {
    const index = (start + step) % pieceCount;
    if (!isNeeded(index) || (best !== undefined && availability(index) >= availability(best))) continue;
    best = index;
    if (availability(index) === 0) break;
  }
  return best;
}
