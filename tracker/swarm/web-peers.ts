/**
 * The browser peers of one info hash: they meet by WebRTC through their WebSockets, so they are handed out to each other only, and the WebRTC side of
 * our seeders and hosts to them. Decides.
 * Invariant: at most MOST_WEB_PEERS, the longest silent one goes; map order is the order of last announces.
 */
import type { PeerId } from "../../torrents/ids.ts";
import { isOurs } from "../../torrents/peer-id.ts";

const MOST_WEB_PEERS = 5000;

export interface WebPeer {
  /** Hex. */
  readonly peerId: string;
  readonly socket: unknown;
  readonly complete: boolean;
  readonly seenMs: number;
}

export interface WebAnswer {
  readonly complete: number;
  readonly incomplete: number;
  readonly peers: readonly WebPeer[];
}

export class WebPeers {
  readonly #peers = new Map<string, WebPeer>();
  readonly #expireMs: () => number;

  constructor(options: { expireMs: () => number }) {
    this.#expireMs = options.expireMs;
  }

  get(peerId: string): WebPeer | undefined {
    return this.#peers.get(peerId);
  }

  set(peer: WebPeer): void {
    this.#peers.delete(peer.peerId);
    const [oldest] = this.#peers.keys();
    if (this.#peers.size >= MOST_WEB_PEERS) this.#peers.delete(oldest);
    this.#peers.set(peer.peerId, peer);
  }

  remove(peerId: string): void {
    this.#peers.delete(peerId);
  }

  counts(nowMs: number): { complete: number; incomplete: number } {
    const counts = { complete: 0, incomplete: 0 };
    for (const [id, peer] of this.#peers) {
      if (nowMs - peer.seenMs > this.#expireMs()) this.#peers.delete(id);
      // a seeder's or a host's WebRTC side: it is in the swarm's table itself
      else if (isOurs(id as PeerId)) continue;
      else counts[peer.complete ? "complete" : "incomplete"]++;
    }
    return counts;
  }

  /** `wanted` of the others, by chance; with one that is complete, where there is one. Who is complete itself meets only those who are not. */
  sample(asker: { readonly peerId: string; readonly complete: boolean }, wanted: number, random: () => number): WebPeer[] {
    const others = [...this.#peers.values()].filter(({ peerId, complete }) => peerId !== asker.peerId && !(complete && asker.complete));
    const most = Math.max(0, Math.min(wanted, others.length));
    for (let at = 0; at < most; at++) {
      const other = at + Math.floor(random() * (others.length - at));
      [others[at], others[other]] = [others[other], others[at]];
    }
    const chosen = others.slice(0, most);
    const whole = others.find(({ complete }) => complete);
    // each leech knows one peer that has what it needs, however large the swarm
    if (most > 0 && whole !== undefined && !chosen.some(({ complete }) => complete)) chosen[most - 1] = whole;
    return chosen;
  }
}
