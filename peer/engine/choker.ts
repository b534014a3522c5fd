/**
 * Who may download from us. Decides.
 *
 * Our own peers share everything with everyone and are never choked while there are slots for them; standard clients get
 * slots by what they give back, with a rotating share for newcomers (BEP 3's optimistic unchoke).
 */

export interface ChokeCandidate<Peer> {
  readonly peer: Peer;
  readonly interested: boolean;
  readonly ours: boolean;
  /** Bytes per second that we get from it. */
  readonly givesBytesPerSecond: number;
}

const OUR_SLOTS = 80;
const STANDARD_SLOTS = 8;
const OPTIMISTIC_SLOTS = 2;

/** The peers to unchoke; all others are choked. */
export function chooseUnchoked<Peer>(candidates: readonly ChokeCandidate<Peer>[], random: () => number): Set<Peer> {
  const chosen = new Set<Peer>();
  const wanting = candidates.filter(({ interested }) => interested);
  for (const { peer } of wanting.filter(({ ours }) => ours).slice(0, OUR_SLOTS)) chosen.add(peer);
  const standard = wanting.filter(({ ours }) => !ours).sort((a, b) => b.givesBytesPerSecond - a.givesBytesPerSecond);
  for (const { peer } of standard.slice(0, STANDARD_SLOTS)) chosen.add(peer);
  const rest = standard.slice(STANDARD_SLOTS);
  for (let slot = 0; slot < OPTIMISTIC_SLOTS && rest.length > 0; slot++) {
    chosen.add(rest.splice(Math.floor(random() * rest.length), 1)[0].peer);
  }
  return chosen;
}
