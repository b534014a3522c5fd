/**
 * Puts the peers that an answer may hold, with their scores, into Candidates. Decides.
 *
 * Hottest path of the tracker: it looks at hundreds of records for each announce, so it reads their fields in place and adds whole
 * numbers from tables that peer-score.ts fills (measured: 45 ns a record through the table's methods, 9 ns like this).
 */
import { type Ask, isOursId } from "./ask.ts";
import { ADDRESS_SCORES, MOST_SCORE, SCORES, WEIGHTS } from "./peer-score.ts";
import { FIELD, FLAG, type PeerTable } from "./peer-table.ts";
import { type Candidates, MOST_CANDIDATES } from "./select-peers.ts";

/** Standard clients, of which only the address is known, choose among so many: twice what an answer holds at most. */
const MOST_FOR_OTHERS = 160;

export interface GatherInput {
  readonly table: PeerTable;
  readonly ask: Ask;
  /** The asker's own record, or -1. */
  readonly own: number;
  /** Of standard clients in the asker's swarm. */
  readonly scope: number;
  /** Score for nearness by site number; undefined: the asker's site is not known. */
  readonly siteScores: Float64Array | undefined;
  readonly random: () => number;
}

/**
 * Clears the candidates first. From large swarms some are drawn, evenly spread. Seeders are named to who says that nothing is left too:
 * aria2 says so while it has nothing but a magnet link.
 */
export function gatherCandidates(input: GatherInput, candidates: Candidates): void {
  const { table, ask, own, scope, siteScores, random } = input;
  const { bytes, words, halves, count } = table;
  const looks = Math.min(count, isOursId(ask.peerId) ? MOST_CANDIDATES : MOST_FOR_OTHERS);
  const step = count / looks;
  const start = looks === count ? 0 : Math.floor(random() * count);
  const idEnd = ask.peerIdWords[4];
  candidates.clear();
  for (let look = 0; look < looks; look++) {
    let record = start + Math.floor(look * step);
    if (record >= count) record -= count;
    const at = record * FIELD.bytes;
    const flags = bytes[at + FIELD.flagsAt];
    if (record === own || (flags & FLAG.banned) !== 0) continue;
    if ((flags & FLAG.ours) === 0 && bytes[at + FIELD.scopeAt] !== scope) continue;
    const v6 = (flags & FLAG.v6) !== 0;
    if (ask.family !== 0 && v6 !== (ask.family === 6)) continue;
    if (words[record * FIELD.words + FIELD.idEndWord] === idEnd && table.hasPeerId(record, ask.peerId)) continue;
    const site = halves[record * FIELD.halves + FIELD.siteHalf];
    const near =
      siteScores === undefined || site === 0 ? addressScore(ask, v6, words, record * FIELD.words + FIELD.addressWord) : siteScores[site];
    let score = near + SCORES.spare[bytes[at + FIELD.spareAt]] + SCORES.success[bytes[at + FIELD.successAt]];
    if ((flags & FLAG.complete) !== 0) score += WEIGHTS.complete;
    const given = halves[record * FIELD.halves + FIELD.givenHalf] * WEIGHTS.given;
    score -= Math.min(given, WEIGHTS.givenMost);
    candidates.add(record, score < 0 ? 0 : score > MOST_SCORE ? MOST_SCORE : score | 0, near);
  }
}

/** Nearness by address: words are read little end first, so the first bytes of an address are the low ones. */
function addressScore({ v6, addressWords }: Ask, otherV6: boolean, words: Int32Array, at: number): number {
  if (v6 !== otherV6) return 0;
  if (v6) {
    if (words[at] !== addressWords[0]) return 0;
    const second = words[at + 1] ^ addressWords[1];
    if (second !== 0) return (second & 0xffff) === 0 ? ADDRESS_SCORES.network : 0;
    const same = words[at + 2] === addressWords[2] && words[at + 3] === addressWords[3];
    return same ? ADDRESS_SCORES.host : ADDRESS_SCORES.subnet;
  }
  const difference = words[at + 3] ^ addressWords[3];
  if (difference === 0) return ADDRESS_SCORES.host;
  if ((difference & 0xffffff) === 0) return ADDRESS_SCORES.subnet;
  return (difference & 0xffff) === 0 ? ADDRESS_SCORES.network : 0;
}
