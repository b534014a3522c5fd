/**
 * Puts the peers that an answer may hold, with their scores, into Candidates. Decides.
 *
 * Hottest path of the tracker: it looks at hundreds of records for each announce, so it reads their fields in place and adds whole
 * numbers from tables that peer-score.ts fills (measured: 45 ns a record through the table's methods; in place 38, with fractions among the
 * scores and members of imported objects for constants; 25 without; several fields in one word took another tenth off the whole announce).
 */
import { type Ask, isOursId } from "./ask.ts";
import { ADDRESS_SCORES, NEAR_SCORE, SCORES, WEIGHTS } from "./peer-score.ts";
import { FIELD, FLAG, type PeerTable } from "./peer-table.ts";
import { type Candidates, MOST_CANDIDATES } from "./select-peers.ts";

// plain constants: the compiler does not fold the members of an imported object (measured: a quarter of the whole)
const { words: WORDS, siteWord: SITE_WORD, idEndWord: ID_END_WORD, addressWord: ADDRESS_WORD } = FIELD;
const { kindWord: KIND_WORD, sharesWord: SHARES_WORD } = FIELD;
const { complete: COMPLETE, ours: OURS, v6: V6, banned: BANNED } = FLAG;
const { spare: SPARE_SCORES, success: SUCCESS_SCORES } = SCORES;
const { host: SAME_HOST, subnet: SAME_SUBNET, network: SAME_NETWORK } = ADDRESS_SCORES;
const { complete: COMPLETE_SCORE, given: GIVEN_SCORE, givenMost: GIVEN_MOST } = WEIGHTS;

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
  const { words, count } = table;
  const { records, scores, histogram } = candidates;
  const enough = isOursId(ask.peerId) ? MOST_CANDIDATES : Math.max(LEAST_WANTED, input.wanted) * CHOICE;
  const start = count <= enough ? 0 : Math.floor(random() * count);
  // once around takes in the whole table; further turns, the records between
  const step = Math.ceil(count / enough);
  const looks = Math.min(count, MOST_CANDIDATES);
  const { family } = ask;
  const idEnd = ask.peerIdWords[4];
  let offset = 0;
  let turn = 0;
  let found = 0;
  let nearCount = 0;
  candidates.clear();
  for (let look = 0; look < looks && found < enough; look++) {
    const record = start + offset < count ? start + offset : start + offset - count;
    offset += step;
    if (offset >= count) offset = ++turn;
    const at = record * WORDS;
    const kind = words[at + KIND_WORD];
    const flags = (kind >> 16) & 0xff;
    if (record === own || (flags & BANNED) !== 0) continue;
    if ((flags & OURS) === 0 && kind >>> 24 !== scope) continue;
    const v6 = (flags & V6) !== 0;
    if (family !== 0 && v6 !== (family === 6)) continue;
    if (words[at + ID_END_WORD] === idEnd && table.hasPeerId(record, ask.peerId)) continue;
    const siteAndGiven = words[at + SITE_WORD];
    const site = siteAndGiven & 0xffff;
    const near = siteScores === undefined || site === 0 ? addressScore(ask, v6, words, at + ADDRESS_WORD) : siteScores[site];
    const shares = words[at + SHARES_WORD];
    const given = Math.min((siteAndGiven >>> 16) * GIVEN_SCORE, GIVEN_MOST);
    const praise = SPARE_SCORES[shares & 0xff] + SUCCESS_SCORES[(shares >> 8) & 0xff] + ((flags & COMPLETE) === 0 ? 0 : COMPLETE_SCORE);
    const score = Math.max(0, near + praise - given);
    if (near >= NEAR_SCORE) nearCount++;
    records[found] = record;
    scores[found++] = score;
    histogram[score]++;
  }
  candidates.count = found;
  candidates.nearCount = nearCount;
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
