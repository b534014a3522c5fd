/**
 * Who is in which swarm: swarm groups by info hash. Decides: time and randomness are arguments.
 *
 * Invariant: every info hash belongs to one group, and is in `#swarms` as long as the group is; at most MOST_SWARMS, the one that was
 * made first goes.
 */
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import { type Ask, emptyAsk, hashKey, makeAsk, UNKNOWN_SHARE } from "./ask.ts";
import { SiteTable } from "./site-table.ts";
import { type GroupSetting, type HandOut, type Swarm, SwarmGroup } from "./swarm-group.ts";
import type { WebAnswer } from "./web-peers.ts";

const MOST_SWARMS = 300_000;

export interface SwarmStoreOptions {
  /** A peer that is silent for longer is forgotten. Read at each announce. */
  readonly expireMs: () => number;
  /** 32 random bits; absent: 0, for tests. */
  readonly seed?: number;
  readonly sites?: SiteTable;
  /** Success in per cent by the reports on an address, or UNKNOWN_SHARE; undefined: it is banned. Absent: nobody reports. */
  readonly standing?: (ask: Ask, nowMs: number) => number | undefined;
  /** Whether one more peer of this address is taken in; absent: any number. */
  readonly admit?: (ask: Ask, nowMs: number) => boolean;
}

export interface Counts {
  readonly complete: number;
  readonly incomplete: number;
}

/** A browser's announce. */
export interface WebAnnounce {
  readonly peerId: PeerId;
  readonly event: string;
  readonly left: number;
  readonly numwant: number;
  readonly socket: unknown;
  /** Where it connects from; absent: it is not counted. */
  readonly address?: string;
}

export class SwarmStore {
  readonly sites: SiteTable;
  readonly #swarms = new Map<string, Swarm>();
  readonly #setting: GroupSetting;

  constructor(options: SwarmStoreOptions) {
    this.sites = options.sites ?? new SiteTable();
    this.#setting = {
      seed: options.seed ?? 0,
      sites: this.sites,
      expireMs: options.expireMs,
      standing: options.standing ?? (() => UNKNOWN_SHARE),
      admit: options.admit ?? (() => true),
    };
  }

  /** Info hashes. */
  get size(): number {
    return this.#swarms.size;
  }

  has(infoHash: InfoHash): boolean {
    return this.#swarms.has(hashKey(infoHash));
  }

  /** By the 20 characters of an Ask. */
  find(key: string): Swarm | undefined {
    return this.#swarms.get(key);
  }

  /** Makes, or widens, the group of a task; swarms that ran alone so far join it. `passkey`: what announces have to bring. */
  join(hashes: { live?: InfoHash; finals: readonly InfoHash[]; passkey?: string }): SwarmGroup {
    const keys = [...(hashes.live === undefined ? [] : [hashes.live]), ...hashes.finals].map(hashKey);
    const known = keys.map((key) => this.#swarms.get(key)?.group).filter((group) => group !== undefined);
    const group = known[0] ?? new SwarmGroup(this.#setting);
    for (const other of new Set(known)) {
      if (other === group) continue;
      group.absorb(other, emptyAsk());
      for (const swarm of group.swarms) this.#swarms.set(swarm.key, swarm);
    }
    for (const key of keys) this.#add(group, key);
    if (hashes.live !== undefined) group.live = this.#swarms.get(hashKey(hashes.live));
    if (hashes.passkey !== undefined) group.passkey = hashes.passkey;
    return group;
  }

  /** Forgets the swarms of a task. */
  remove(infoHash: InfoHash): void {
    for (const { key } of this.#swarms.get(hashKey(infoHash))?.group.swarms ?? []) this.#swarms.delete(key);
  }

  /** Takes an announce in and answers it; undefined: no such swarm. The answer is good until the next announce. */
  announce(ask: Ask, nowMs: number, random: () => number): HandOut | undefined {
    const swarm = this.#swarms.get(ask.infoHash);
    if (swarm === undefined) return undefined;
    swarm.group.expire(nowMs);
    swarm.group.record(swarm, ask, nowMs);
    return swarm.group.handOut(swarm, ask, random);
  }

  /** A linked seeder has the task: it is in the swarms, marked as a link. */
  addLink(ask: Ask, nowMs: number): void {
    const swarm = this.#swarms.get(ask.infoHash);
    swarm?.group.record(swarm, ask, nowMs);
    swarm?.group.markLink(ask);
  }

  /** Takes a peer out of the swarms of a task. */
  leave(infoHash: InfoHash, peerId: PeerId): void {
    this.#swarms.get(hashKey(infoHash))?.group.leave(Buffer.from(peerId, "hex"));
  }

  /** Peers that are handed out in this swarm, browsers included. */
  counts(infoHash: InfoHash, nowMs: number): Counts {
    const { complete, incomplete } = this.countsOf(hashKey(infoHash), nowMs);
    return { complete, incomplete };
  }

  countsOf(key: string, nowMs: number): Counts & { readonly downloaded: number; readonly downloaders: number } {
    const swarm = this.#swarms.get(key);
    if (swarm === undefined) return { complete: 0, incomplete: 0, downloaded: 0, downloaders: 0 };
    const { group } = swarm;
    group.expire(nowMs);
    const web = swarm.web?.counts(nowMs);
    const incomplete = group.incomplete(swarm) + (web?.incomplete ?? 0);
    return {
      complete: group.complete(swarm) + (web?.complete ?? 0),
      incomplete,
      downloaded: swarm.downloaded,
      downloaders: incomplete - group.paused(swarm),
    };
  }

  /** Over all swarms; the swarms of one task are one. */
  totals(nowMs: number): { swarms: number; complete: number; incomplete: number } {
    const totals = { swarms: 0, complete: 0, incomplete: 0 };
    for (const group of this.groups()) {
      group.expire(nowMs);
      const all = [group.totals, ...group.swarms.map((swarm) => swarm.web?.counts(nowMs) ?? { complete: 0, incomplete: 0 })];
      totals.swarms++;
      for (const { complete, incomplete } of all) {
        totals.complete += complete;
        totals.incomplete += incomplete;
      }
    }
    return totals;
  }

  /** Each group once. */
  *groups(): IterableIterator<SwarmGroup> {
    for (const swarm of this.#swarms.values()) if (swarm.group.swarms[0] === swarm) yield swarm.group;
  }

  /** Takes a browser's announce in and answers it with other browsers. */
  announceWeb(infoHash: InfoHash, announce: WebAnnounce, now: { readonly nowMs: number; readonly random: () => number }): WebAnswer {
    const swarm = this.#swarms.get(hashKey(infoHash));
    if (swarm === undefined) return { complete: 0, incomplete: 0, peers: [] };
    const web = swarm.group.webOf(swarm);
    const { peerId, event, left, socket } = announce;
    const stopped = event === "stopped";
    const complete = left === 0 || event === "completed";
    if (stopped) web.remove(peerId);
    else if (web.get(peerId) !== undefined || this.#admitsWeb(infoHash, announce, now.nowMs))
      web.set({ peerId, socket, complete, seenMs: now.nowMs });
    const peers = web.sample({ peerId, complete }, stopped ? 0 : announce.numwant, now.random);
    return { ...this.counts(infoHash, now.nowMs), peers };
  }

  /** The browser peer with this id (answers to WebRTC offers are sent to it). */
  webPeer(infoHash: InfoHash, peerId: string): { readonly socket: unknown } | undefined {
    return this.#swarms.get(hashKey(infoHash))?.web?.get(peerId);
  }

  /** Whether one more browser at its address is taken in. */
  #admitsWeb(infoHash: InfoHash, { peerId, address }: WebAnnounce, nowMs: number): boolean {
    const ask = address === undefined ? undefined : makeAsk({ infoHash, peerId, ip: address, port: 0 });
    return ask === undefined || this.#setting.admit(ask, nowMs);
  }

  #add(group: SwarmGroup, key: string): void {
    if (this.#swarms.get(key)?.group === group) return;
    if (this.#swarms.size >= MOST_SWARMS) this.#forgetFirst(group);
    const swarm = group.widen(key);
    if (swarm !== undefined) this.#swarms.set(key, swarm);
  }

  #forgetFirst(but: SwarmGroup): void {
    for (const { group } of this.#swarms.values()) {
      if (group === but) continue;
      for (const { key } of group.swarms) this.#swarms.delete(key);
      return;
    }
  }
}
