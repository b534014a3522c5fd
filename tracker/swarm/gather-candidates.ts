/**
 * Puts the peers that an answer may hold, with their scores, into Candidates. Decides.
 *
 * Hottest path of the tracker: it looks at hundreds of records for each announce, so it reads their fields in place and adds whole
 * numbers from tables that peer-score.ts fills (measured: 45 ns a record through the table's methods; in place 38, with fractions among the
 * scores and members of imported objects for constants; 25 like this).
 */
import { type Ask, isOursId } from "./ask.ts";
import { ADDRESS_SCORES, SCORES, WEIGHTS } from "./peer-score.ts";
import { FIELD, FLAG, type PeerTable } from "./peer-table.ts";
import { type Candidates, MOST_CANDIDATES } from "./select-peers.ts";

// plain constants: the compiler does not fold the members of an imported object (measured: a quarter of the whole)
const { bytes: BYTES, words: WORDS, halves: HALVES, siteHalf: SITE_HALF, givenHalf: GIVEN_HALF } = FIELD;
const { idEndWord: ID_END_WORD, addressWord: ADDRESS_WORD } = FIELD;
const { flagsAt: FLAGS_AT, scopeAt: SCOPE_AT, spareAt: SPARE_AT, successAt: SUCCESS_AT } = FIELD;
const { complete: COMPLETE, ours: OURS, v6: V6, banned: BANNED } = FLAG;
const { spare: SPARE_SCORES, success: SUCCESS_SCORES } = SCORES;
const { host: SAME_HOST, subnet: SAME_SUBNET, network: SAME_NETWORK } = ADDRESS_SCORES;

/** Standard clients, of which only the address is known, choose among so many for each peer that they want … */
const CHOICE = 2;
/** … and as if they wanted so many at least. */
const LEAST_WANTED = 50;

export interface GatherInput {
  readonly table: PeerTable;
  readonly ask: Ask;
  /** The asker's own record, or -1. */
  readonly own: number;
  /** Of standard clients in the asker's swarm. */
  readonly scope: number;
  readonly wanted: number;
  /** Score for nearness by site number; undefined: the asker's site is not known. */
  readonly siteScores: Uint16Array | undefined;
  readonly random: () => number;
}

/**
 * Clears the candidates first. From large swarms some are drawn, evenly spread, and where many of those are of no use to the asker, more.
 * Seeders are named to who says that nothing is left too: aria2 says so while it has nothing but a magnet link.
 */
export function gatherCandidates(input: GatherInput, candidates: Candidates): void {
  const { table, ask, own, scope, siteScores, random } = input;
  const { bytes, words, halves, count } = table;
  const enough = isOursId(ask.peerId) ? MOST_CANDIDATES : Math.max(LEAST_WANTED, input.wanted) * CHOICE;
  const start = count <= enough ? 0 : Math.floor(random() * count);
  // once around takes in the whole table; further turns, the records between
  const step = Math.ceil(count / enough);
  const looks = Math.min(count, MOST_CANDIDATES);
  const idEnd = ask.peerIdWords[4];
  let offset = 0;
  let turn = 0;
  candidates.clear();
  for (let look = 0; look < looks && candidates.count < enough; look++) {
    let record = start + offset;
    if (record >= count) record -= count;
    offset += step;
    if (offset >= count) offset = ++turn;
    const at = record * BYTES;
    const flags = bytes[at + FLAGS_AT];
    if (record === own || (flags & BANNED) !== 0) continue;
    if ((flags & OURS) === 0 && bytes[at + SCOPE_AT] !== scope) continue;
    const v6 = (flags & V6) !== 0;
    if (ask.family !== 0 && v6 !== (ask.family === 6)) continue;
    if (words[record * WORDS + ID_END_WORD] === idEnd && table.hasPeerId(record, ask.peerId)) continue;
    const site = halves[record * HALVES + SITE_HALF];
    const near = siteScores === undefined || site === 0 ? addressScore(ask, v6, words, record * WORDS + ADDRESS_WORD) : siteScores[site];
    let score = near + SPARE_SCORES[bytes[at + SPARE_AT]] + SUCCESS_SCORES[bytes[at + SUCCESS_AT]];
    if ((flags & COMPLETE) !== 0) score += WEIGHTS.complete;
    const given = halves[record * HALVES + GIVEN_HALF] * WEIGHTS.given;
    score -= Math.min(given, WEIGHTS.givenMost);
    candidates.add(record, Math.max(0, score), near);
  }
}

/** Nearness by address: words are read little end first, so the first bytes of an address are the low ones. */
function addressScore({ v6, addressWords }: Ask, otherV6: boolean, words: Int32Array, at: number): number {
  if (v6 !== otherV6) return 0;
  if (v6) {
    if (words[at] !== addressWords[0]) return 0;
    const second = words[at + 1] ^ addressWords[1];
    if (second !== 0) return (second & 0xffff) === 0 ? SAME_NETWORK : 0;
    const same = words[at + 2] === addressWords[2] && words[at + 3] === addressWords[3];
    return same ? SAME_HOST : SAME_SUBNET;
  }
  const difference = words[at + 3] ^ addressWords[3];
  if (difference === 0) return SAME_HOST;
  if ((difference & 0xffffff) === 0) return SAME_SUBNET;
  return (difference & 0xffff) === 0 ? SAME_NETWORK : 0;
}
