/**
 * Who is in which swarm. Decides: time and randomness are arguments.
 *
 * The live, v1 and v2 info hash of a task form one group. Our own peers serve all three from one store, so they are handed
 * out in all three, whichever they announced; standard clients only in the swarm that they announced, and the
 * live hash means nothing to them. Invariant: the asker is never in its own answer; every map has a limit.
 */
import type { InfoHash, PeerId } from "../torrents/ids.ts";
import { isOurs } from "../torrents/peer-id.ts";

export interface SwarmPeer {
  readonly peerId: PeerId;
  readonly ip: string;
  readonly port: number;
  readonly type: string;
  readonly infoHash: InfoHash;
  readonly ours: boolean;
  complete: boolean;
  lastSeenMs: number;
  /** WebSocket of a browser peer. */
  socket: unknown;
}

export interface SwarmGroup {
  live?: InfoHash;
  /** Set once the task is final. */
  readonly finals: Set<InfoHash>;
  readonly peers: Map<string, SwarmPeer>;
}

export interface Announce {
  readonly infoHash: InfoHash;
  readonly peerId: PeerId;
  readonly ip: string;
  readonly port: number;
  readonly type: string;
  readonly event: string;
  readonly left: number;
  readonly numwant: number;
  readonly socket?: unknown;
}

export interface HandOut {
  readonly complete: number;
  readonly incomplete: number;
  readonly peers: readonly SwarmPeer[];
}

const MOST_PEERS = 20_000;
const MOST_GROUPS = 100_000;
const MOST_HANDED_OUT = 80;

export class SwarmStore {
  readonly #groups = new Map<InfoHash, SwarmGroup>();
  readonly #expireMs: number;

  constructor(options: { expireMs: number }) {
    this.#expireMs = options.expireMs;
  }

  get size(): number {
    return this.#groups.size;
  }

  has(infoHash: InfoHash): boolean {
    return this.#groups.has(infoHash);
  }

  /** Makes, or widens, the group of a task; swarms that ran alone so far join it. */
  join(hashes: { live?: InfoHash; finals: readonly InfoHash[] }): SwarmGroup {
    const all = [...(hashes.live === undefined ? [] : [hashes.live]), ...hashes.finals];
    const known = all.map((hash) => this.#groups.get(hash)).filter((group) => group !== undefined);
    const group: SwarmGroup = known[0] ?? { finals: new Set(), peers: new Map() };
    for (const other of known.slice(1)) if (other !== group) for (const [key, peer] of other.peers) group.peers.set(key, peer);
    if (hashes.live !== undefined) group.live = hashes.live;
    for (const hash of hashes.finals) group.finals.add(hash);
    if (known.length === 0 && this.#groups.size >= MOST_GROUPS) this.#groups.delete(this.#groups.keys().next().value as InfoHash);
    for (const hash of all) this.#groups.set(hash, group);
    return group;
  }

  /** Forgets the swarms of a task. */
  remove(infoHash: InfoHash): void {
    const group = this.#groups.get(infoHash);
    if (group === undefined) return;
    for (const [hash, other] of this.#groups) if (other === group) this.#groups.delete(hash);
  }

  /** Takes an announce in and answers it. The swarm must exist. */
  announce(announce: Announce, nowMs: number, random: () => number): HandOut {
    const group = this.#groups.get(announce.infoHash);
    if (group === undefined) return { complete: 0, incomplete: 0, peers: [] };
    const key = keyOf(announce);
    if (announce.event === "stopped") group.peers.delete(key);
    else this.#record(group, key, announce, nowMs);
    const ours = isOurs(announce.peerId);
    // BEP 15: a negative number leaves it to us
    const asked = announce.numwant < 0 ? MOST_HANDED_OUT : Math.min(announce.numwant, MOST_HANDED_OUT);
    const wanted = announce.event === "stopped" ? 0 : asked;
    return this.#handOut(
      group,
      { infoHash: announce.infoHash, ours, key, peerId: announce.peerId, ws: announce.type === "ws" },
      { wanted, nowMs, random },
    );
  }

  /** Takes a peer out of the swarms of a task, under whatever address it is there. */
  leave(infoHash: InfoHash, peerId: PeerId): void {
    const group = this.#groups.get(infoHash);
    for (const [key, peer] of group?.peers ?? []) if (peer.peerId === peerId) group?.peers.delete(key);
  }

  counts(infoHash: InfoHash, nowMs: number): { complete: number; incomplete: number } {
    const group = this.#groups.get(infoHash);
    let complete = 0;
    let incomplete = 0;
    for (const [key, peer] of group?.peers ?? []) {
      if (nowMs - peer.lastSeenMs > this.#expireMs) group?.peers.delete(key);
      else if (!peer.ours && peer.infoHash !== infoHash) continue;
      else if (peer.complete) complete++;
      else incomplete++;
    }
    return { complete, incomplete };
  }

  /** Over all swarms; the swarms of one task are one. */
  totals(nowMs: number): { swarms: number; complete: number; incomplete: number } {
    const groups = new Set(this.#groups.values());
    const totals = { swarms: groups.size, complete: 0, incomplete: 0 };
    for (const { peers } of groups)
      for (const peer of peers.values()) if (nowMs - peer.lastSeenMs <= this.#expireMs) totals[peer.complete ? "complete" : "incomplete"]++;
    return totals;
  }

  /** The browser peer with this id (answers to WebRTC offers are sent to it). */
  webPeer(infoHash: InfoHash, peerId: string): SwarmPeer | undefined {
    return this.#groups.get(infoHash)?.peers.get(`ws ${peerId}`);
  }

  #record(group: SwarmGroup, key: string, announce: Announce, nowMs: number): void {
    const known = group.peers.get(key);
    const complete = announce.left === 0 || announce.event === "completed";
    if (known !== undefined && known.peerId === announce.peerId) {
      known.complete = complete;
      known.lastSeenMs = nowMs;
      known.socket = announce.socket;
      return;
    }
    if (known === undefined && group.peers.size >= MOST_PEERS) group.peers.delete(group.peers.keys().next().value as string);
    const { peerId, ip, port, type, infoHash, socket } = announce;
    group.peers.set(key, { peerId, ip, port, type, infoHash, socket, ours: isOurs(peerId), complete, lastSeenMs: nowMs });
  }

  #handOut(
    group: SwarmGroup,
    asker: { infoHash: InfoHash; ours: boolean; key: string; peerId: PeerId; ws: boolean },
    ask: { wanted: number; nowMs: number; random: () => number },
  ): HandOut {
    const candidates: SwarmPeer[] = [];
    let complete = 0;
    let incomplete = 0;
    const blind = asker.infoHash === group.live && !asker.ours;
    for (const [key, peer] of group.peers) {
      if (ask.nowMs - peer.lastSeenMs > this.#expireMs) {
        group.peers.delete(key);
        continue;
      }
      if (blind || (!peer.ours && peer.infoHash !== asker.infoHash)) continue;
      if (peer.complete) complete++;
      else incomplete++;
      if (key !== asker.key && peer.peerId !== asker.peerId && (peer.type === "ws") === asker.ws) candidates.push(peer);
    }
    return { complete, incomplete, peers: sample(candidates, ask.wanted, ask.random) };
  }
}

function keyOf(announce: Announce): string {
  return announce.type === "ws"
    ? `ws ${announce.peerId}`
    : `${announce.ip} ${announce.port} ${isOurs(announce.peerId) ? "" : announce.infoHash}`;
}

/** `count` of the candidates, each with the same chance; shuffles in place. */
function sample<T>(candidates: T[], count: number, random: () => number): T[] {
  const most = Math.min(count, candidates.length);
  for (let at = 0; at < most; at++) {
    const other = at + Math.floor(random() * (candidates.length - at));
    [candidates[at], candidates[other]] = [candidates[other], candidates[at]];
  }
  return candidates.slice(0, most);
}
