/**
 * Who may download from us. Decides: time is an argument.
 *
 * There is a bounded number of places for our own peers, and another one for standard clients. Who has a place keeps it while nobody waits
 * for it. Where somebody does, places go on in turns: a place lasts its turn while it is used, and goes back where nothing is asked for in it;
 * who has waited longest comes next. Among standard clients those go first that give most (BEP 3); LEAST_IN_TURN places are left to turns, which is
 * BEP 3's optimistic unchoke. (libtorrent's seeds take turns likewise, by a minute; rqbit chokes nobody.)
 * Invariants: never more unchoked than MOST_OUR_PLACES and STANDARD_PLACES; of n peers that want one of p places, each waits at most ⌈n ÷ p⌉ turns.
 */

export interface ChokeCandidate<Peer> {
  readonly peer: Peer;
  readonly ours: boolean;
  readonly interested: boolean;
  /** Bytes per second that we get from it. */
  readonly givesBytesPerSecond: number;
  /** Since when it has its place; undefined: it is choked. */
  readonly placeSinceMs: number | undefined;
  /** When it last asked, or got, something. */
  readonly usedMs: number;
  /** Since when it waits; of meaning only where it is interested and choked. */
  readonly waitsSinceMs: number;
}

/** Places for ours. */
export const MOST_OUR_PLACES = 80;
/** At a seed there are as many as get a piece each in so long: what it sends to more at once is whole, and passed on, later. */
const SEED_PIECE_SECONDS = 0.6;
/** … and never fewer: peers may be too slow to take more. */
export const LEAST_OUR_PLACES = 20;
export const STANDARD_PLACES = 10;
/** Of the standard places: not for those that give most. */
const LEAST_IN_TURN = 2;
const OUR_TURN_MS = 10_000;
/** Longer: what a stranger gives for it is to be seen, over slower lines (BEP 3). */
const STANDARD_TURN_MS = 30_000;
/** A place in which nothing is asked for so long goes to who waits. */
const UNUSED_MS = 2_000;

/** What may become of a place, from the strongest claim to the weakest. */
const IN_TURN = 0;
const WAITS = 1;
/** Its turn is over, or it asks nothing. */
const OVER = 2;
/** Has a place that it does not want now. */
const KEEPS = 3;
const WANTS_NOTHING = 4;

/**
 * How many places a seed has for our own peers, where it shows everything to everybody. (Simulated, 60 hosts of 20 Mbit/s and one that has the 16 MB: 2.2 ×
 * the ideal time in place of 3.5 with 80 places, and 2.2 copies from that one in place of 3.4. Who still downloads, and a seeder that shows each piece to
 * one peer first, gain nothing by fewer places.)
 */
export function seedPlaces({ uploadBytesPerSecond, pieceLengthBytes }: { uploadBytesPerSecond: number; pieceLengthBytes: number }): number {
  const places = Math.floor((uploadBytesPerSecond * SEED_PIECE_SECONDS) / pieceLengthBytes);
  return Math.min(MOST_OUR_PLACES, Math.max(LEAST_OUR_PLACES, places));
}

/** The peers to unchoke; all others are choked. Ours have a place without asking where there are enough; where places become fewer, turns still last. */
export function chooseUnchoked<Peer>(
  candidates: readonly ChokeCandidate<Peer>[],
  { places, nowMs }: { readonly places: number; readonly nowMs: number },
): Set<Peer> {
  const chosen = new Set<Peer>();
  const ours = byClaim(
    candidates.filter(({ ours }) => ours),
    nowMs,
  );
  const standard = candidates.filter((other) => !other.ours && claimOf(other, nowMs) !== WANTS_NOTHING);
  const inTurn = ours.filter((candidate) => claimOf(candidate, nowMs) === IN_TURN).length;
  for (const { peer } of ours.slice(0, Math.min(MOST_OUR_PLACES, Math.max(places, inTurn)))) chosen.add(peer);
  for (const { peer } of byGift(standard, nowMs).slice(0, STANDARD_PLACES)) chosen.add(peer);
  return chosen;
}

/** Standard clients: whose turn lasts, then those that give most, then the others by their claims. */
function byGift<Peer>(candidates: readonly ChokeCandidate<Peer>[], nowMs: number): ChokeCandidate<Peer>[] {
  const inOrder = byClaim(candidates, nowMs);
  const inTurn = inOrder.filter((candidate) => claimOf(candidate, nowMs) === IN_TURN);
  const rest = inOrder.slice(inTurn.length);
  const mostGivers = STANDARD_PLACES - LEAST_IN_TURN - inTurn.filter(gives).length;
  const givers = rest
    .filter((candidate) => candidate.interested && gives(candidate))
    .sort((one, other) => other.givesBytesPerSecond - one.givesBytesPerSecond)
    .slice(0, Math.max(0, mostGivers));
  return [...inTurn, ...givers, ...rest.filter((candidate) => !givers.includes(candidate))];
}

function gives({ givesBytesPerSecond }: ChokeCandidate<unknown>): boolean {
  return givesBytesPerSecond > 0;
}

/** From the strongest claim to the weakest: who has waited longest first, and last who has had a place longest. */
function byClaim<Peer>(candidates: readonly ChokeCandidate<Peer>[], nowMs: number): ChokeCandidate<Peer>[] {
  const ranked = candidates.map((candidate) => ({ candidate, claim: claimOf(candidate, nowMs) }));
  ranked.sort((one, other) => one.claim - other.claim || withinClaim(one.candidate, other.candidate));
  return ranked.map(({ candidate }) => candidate);
}

function withinClaim(one: ChokeCandidate<unknown>, other: ChokeCandidate<unknown>): number {
  if (one.placeSinceMs === undefined || other.placeSinceMs === undefined) return one.waitsSinceMs - other.waitsSinceMs;
  return other.placeSinceMs - one.placeSinceMs;
}

function claimOf({ ours, interested, placeSinceMs, usedMs }: ChokeCandidate<unknown>, nowMs: number): number {
  if (placeSinceMs === undefined) return interested ? WAITS : WANTS_NOTHING;
  if (!interested) return KEEPS;
  const isUnused = nowMs - Math.max(usedMs, placeSinceMs) >= UNUSED_MS;
  return isUnused || nowMs - placeSinceMs >= (ours ? OUR_TURN_MS : STANDARD_TURN_MS) ? OVER : IN_TURN;
}
