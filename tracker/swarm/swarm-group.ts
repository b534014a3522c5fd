/**
 * The swarms of one task: its live, v1 and v2 info hash, with one table of peers between them. Decides. Hot path.
 *
 * Our own peers serve all hashes from one store, so they are handed out in all, whichever they announced; standard clients only in the
 * swarm that they announced, and the live hash means nothing to them. Invariant: the counters are what a walk over the table would
 * count; the asker is never in its own answer.
 */
import { type Ask, EVENT, isOursId } from "./ask.ts";
import { gatherCandidates } from "./gather-candidates.ts";
import { FIELD, FLAG, PeerTable } from "./peer-table.ts";
import { Candidates, MOST_PICKS } from "./select-peers.ts";
import type { SiteTable } from "./site-table.ts";
import { WebPeers } from "./web-peers.ts";

/** Info hashes of one task; it has three. */
const MOST_SWARMS = 8;
const MOST_PEERS = 20_000;
/** Scope of our peers: one record for all info hashes of the group. */
const OURS_SCOPE = 0;

/** What all groups share. */
export interface GroupSetting {
  readonly seed: number;
  readonly sites: SiteTable;
  readonly expireMs: () => number;
  /** Success in per cent by the reports on an address, or UNKNOWN_SHARE; undefined: it is banned. */
  readonly standing: (ask: Ask, nowMs: number) => number | undefined;
  /** Whether one more peer of this address is taken in. */
  readonly admit: (ask: Ask, nowMs: number) => boolean;
}

/** One info hash of a group; the counters are of its standard clients. */
export interface Swarm {
  readonly group: SwarmGroup;
  readonly key: string;
  readonly index: number;
  complete: number;
  incomplete: number;
  /** Of the incomplete ones, those that want no more (BEP 21). */
  paused: number;
  downloaded: number;
  web: WebPeers | undefined;
}

/** An answer, good until the next announce to any swarm. */
export interface HandOut {
  readonly complete: number;
  readonly incomplete: number;
  readonly table: PeerTable;
  readonly picked: Int32Array;
  readonly pickedCount: number;
}

const candidates = new Candidates();

export class SwarmGroup {
  readonly table: PeerTable;
  readonly swarms: Swarm[] = [];
  live: Swarm | undefined;
  /** What an announce has to bring; undefined: nothing. */
  passkey: string | undefined;
  #oursComplete = 0;
  #oursIncomplete = 0;
  #oursPaused = 0;
  readonly #setting: GroupSetting;

  constructor(setting: GroupSetting) {
    this.#setting = setting;
    this.table = new PeerTable(setting.seed);
  }

  /** The swarm of an info hash, made where there is room for it. */
  widen(key: string): Swarm | undefined {
    const known = this.swarms.find((swarm) => swarm.key === key);
    if (known !== undefined || this.swarms.length >= MOST_SWARMS) return known;
    const swarm: Swarm = {
      group: this,
      key,
      index: this.swarms.length,
      complete: 0,
      incomplete: 0,
      paused: 0,
      downloaded: 0,
      web: undefined,
    };
    this.swarms.push(swarm);
    return swarm;
  }

  /** The browsers of that info hash. */
  webOf(swarm: Swarm): WebPeers {
    swarm.web ??= new WebPeers({ expireMs: this.#setting.expireMs });
    return swarm.web;
  }

  complete(swarm: Swarm): number {
    return this.#oursComplete + swarm.complete;
  }

  incomplete(swarm: Swarm): number {
    return this.#oursIncomplete + swarm.incomplete;
  }

  paused(swarm: Swarm): number {
    return this.#oursPaused + swarm.paused;
  }

  /** Peers of all its swarms, browsers apart. */
  get totals(): { complete: number; incomplete: number } {
    const totals = { complete: this.#oursComplete, incomplete: this.#oursIncomplete };
    for (const { complete, incomplete } of this.swarms) {
      totals.complete += complete;
      totals.incomplete += incomplete;
    }
    return totals;
  }

  knows(swarm: Swarm, ask: Ask): boolean {
    return this.table.find(ask, isOursId(ask.peerId) ? OURS_SCOPE : swarm.index + 1) >= 0;
  }

  /** Takes an announce in, without answering it. */
  record(swarm: Swarm, ask: Ask, nowMs: number): void {
    const ours = isOursId(ask.peerId);
    const scope = ours ? OURS_SCOPE : swarm.index + 1;
    const known = this.table.find(ask, scope);
    if (ask.event === EVENT.stopped) {
      if (known >= 0) this.#remove(known);
      return;
    }
    if (known < 0 && !this.#setting.admit(ask, nowMs)) return;
    if (known < 0 && this.table.count >= MOST_PEERS) this.#remove(this.table.oldest);
    const record = known < 0 ? this.table.add(ask, scope, nowMs) : known;
    if (known >= 0) {
      this.#count(record, -1);
      this.table.touch(record, nowMs);
      this.table.setGiven(record, this.table.given(record) >> 1);
    }
    this.table.setPeerId(record, ask.peerId);
    this.table.setSite(record, ask.site);
    this.table.setLeft(record, ask.left);
    const standing = this.#setting.standing(ask, nowMs);
    this.table.setShares(record, { spare: ask.spare, success: standing ?? 0 });
    const complete = ask.left === 0 || ask.event === EVENT.completed;
    this.table.setFlags(
      record,
      (complete ? FLAG.complete : 0) |
        (ours ? FLAG.ours : 0) |
        (ask.v6 ? FLAG.v6 : 0) |
        (ask.event === EVENT.paused ? FLAG.paused : 0) |
        (standing === undefined ? FLAG.banned : 0),
    );
    if (ask.event === EVENT.completed) swarm.downloaded++;
    this.#count(record, 1);
  }

  /** Marks a peer as a seeder that is linked: the store's users leave it out of the peers that they name themselves. */
  markLink(ask: Ask): void {
    const record = this.table.find(ask, OURS_SCOPE);
    if (record >= 0) this.table.setFlags(record, this.table.flags(record) | FLAG.link);
  }

  /** The answer to an announce. `random`: 0 ≤ x < 1. */
  handOut(swarm: Swarm, ask: Ask, random: () => number): HandOut {
    const blind = swarm === this.live && !isOursId(ask.peerId);
    candidates.clear();
    const wanted = ask.event === EVENT.stopped || blind ? 0 : ask.numwant < 0 ? MOST_PICKS : Math.min(ask.numwant, MOST_PICKS);
    if (wanted > 0) {
      const own = this.table.find(ask, isOursId(ask.peerId) ? OURS_SCOPE : swarm.index + 1);
      const siteScores = ask.site === 0 ? undefined : this.#setting.sites.scoresFrom(ask.site);
      gatherCandidates({ table: this.table, ask, own, scope: swarm.index + 1, wanted, siteScores, random }, candidates);
      candidates.pick(wanted, { stayNear: siteScores !== undefined, random });
      this.table.noteGiven(candidates.picked, candidates.pickedCount);
    }
    const { picked, pickedCount } = candidates;
    return {
      complete: blind ? 0 : this.complete(swarm),
      incomplete: blind ? 0 : this.incomplete(swarm),
      table: this.table,
      picked,
      pickedCount,
    };
  }

  /** Forgets who was silent for too long. */
  expire(nowMs: number): void {
    const { table } = this;
    const expireMs = this.#setting.expireMs();
    while (table.oldest >= 0 && nowMs - table.seenMs(table.oldest) > expireMs) this.#remove(table.oldest);
  }

  /** Takes a peer out, under whatever address it is there. */
  leave(peerId: Uint8Array): void {
    for (let record = this.table.count - 1; record >= 0; record--) if (this.table.hasPeerId(record, peerId)) this.#remove(record);
  }

  /** Different addresses in the group, that of `but` apart. */
  addresses(but: Ask): number {
    const seen = new Set<string>();
    const { table } = this;
    for (let record = 0; record < table.count; record++) {
      const at = table.addressAt(record);
      seen.add(table.bytes.subarray(at, at + 16).toString());
    }
    seen.delete(but.address.toString());
    return seen.size;
  }

  /** Whether somebody at that address, at whatever port, is in the group. */
  hasAddress(ask: Ask): boolean {
    const { words, count } = this.table;
    const [first, second, third, fourth] = ask.addressWords;
    for (let at = FIELD.addressWord, end = at + count * FIELD.words; at < end; at += FIELD.words)
      if (words[at + 3] === fourth && words[at + 2] === third && words[at + 1] === second && words[at] === first) return true;
    return false;
  }

  /** Whether that peer is in the group, and no linked seeder. */
  isOpenToReports(ask: Ask): boolean {
    const records = Array.from({ length: this.swarms.length + 1 }, (_, scope) => this.table.find(ask, scope)).filter(
      (record) => record >= 0,
    );
    return records.length > 0 && records.every((record) => (this.table.flags(record) & FLAG.link) === 0);
  }

  /** Flags, or unflags, all records of an address and port. */
  setBanned(ask: Ask, banned: boolean): void {
    for (let scope = OURS_SCOPE; scope <= this.swarms.length; scope++) {
      const record = this.table.find(ask, scope);
      if (record < 0) continue;
      const flags = this.table.flags(record);
      this.table.setFlags(record, banned ? flags | FLAG.banned : flags & ~FLAG.banned);
    }
  }

  /** Takes in the peers and browsers of another group, which is not used any more. */
  absorb(other: SwarmGroup, scratch: Ask): void {
    for (const theirs of other.swarms) {
      const swarm = this.widen(theirs.key);
      if (swarm === undefined) continue;
      swarm.downloaded += theirs.downloaded;
      swarm.web ??= theirs.web;
    }
    const { table } = other;
    for (let record = table.oldest; record >= 0; record = table.oldest) {
      const theirs = other.swarms[Math.max(0, table.scope(record) - 1)];
      const swarm = this.swarms.find(({ key }) => key === theirs?.key);
      table.read(record, scratch);
      const flags = table.flags(record);
      scratch.event = (flags & FLAG.paused) !== 0 ? EVENT.paused : EVENT.none;
      scratch.left = (flags & FLAG.complete) !== 0 ? 0 : (table.leftBytes(record) ?? Number.POSITIVE_INFINITY);
      if (swarm !== undefined) this.record(swarm, scratch, table.seenMs(record));
      table.remove(record);
    }
  }

  #remove(record: number): void {
    this.#count(record, -1);
    this.table.remove(record);
  }

  #count(record: number, change: 1 | -1): void {
    const flags = this.table.flags(record);
    const complete = (flags & FLAG.complete) !== 0 ? change : 0;
    const paused = complete === 0 && (flags & FLAG.paused) !== 0 ? change : 0;
    const swarm = this.swarms[this.table.scope(record) - 1];
    if (swarm === undefined) {
      this.#oursComplete += complete;
      this.#oursIncomplete += change - complete;
      this.#oursPaused += paused;
      return;
    }
    swarm.complete += complete;
    swarm.incomplete += change - complete;
    swarm.paused += paused;
  }
}
