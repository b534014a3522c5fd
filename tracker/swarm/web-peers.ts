/**
 * The browser peers of one info hash: they meet by WebRTC through their WebSockets, so they are handed out to each other only. Decides.
 * Invariant: at most MOST_WEB_PEERS, the longest silent one goes; map order is the order of last announces.
 */
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
      else counts[peer.complete ? "complete" : "incomplete"]++;
    }
    return counts;
  }

  /** `wanted` of the others, each with the same chance. */
  sample(asker: string, wanted: number, random: () => number): WebPeer[] {
    const others = [...this.#peers.values()].filter(({ peerId }) => peerId !== asker);
    const most = Math.max(0, Math.min(wanted, others.length));
    for (let at = 0; at < most; at++) {
      const other = at + Math.floor(random() * (others.length - at));
      [others[at], others[other]] = [others[other], others[at]];
    }
    return others.slice(0, most);
  }
}
