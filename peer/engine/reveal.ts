/**
 * Which new piece the seeder shows to whom (BEP 16's idea for a live swarm). Decides.
 *
 * Every peer wants the newest piece at once; shown to all, the seeder would upload it to all. So each piece is shown to one
 * peer, others learn of it from that one, and only a piece that stops spreading is shown to one more.
 * Invariant: a piece that some connected peer holds or was shown is not shown again before STUCK_MS without spread, and later where all spreads slowly.
 */
import type { Bitfield } from "./bitfield.ts";
import { RateMeter } from "./rate-meter.ts";

/** Pieces (by bytes) shown but not yet reported back, over all peers. */
const WINDOW_BYTES = 16 * 1024 * 1024;
const LEAST_WINDOW = 2;
const MOST_WINDOW = 64;
/** At most so many seconds of the seeder's upload are shown at once: over a slow link more would all arrive late together. */
const WINDOW_SECONDS = 0.6;
const LEAST_SHOWN = 8;
const STUCK_MS = 1500;
/** … while pieces wait that nobody has: a copy for everybody goes before a second copy for anybody. */
const BUSY_STUCK_MS = 5000;

/** A piece is stuck when it did not spread for so many times what is usual … */
const STUCK_TIMES = 8;
/** … but when a swarm is that slow, it may as well be helped. */
const MOST_STUCK_MS = 15_000;

interface PieceState {
  /** Peers to whom it was shown and who did not report it yet. */
  pending: number;
  /** Connected peers that have it. */
  holders: number;
  lastSpreadMs: number;
}

/** What reveal needs of a connected peer. */
export interface RevealPeer {
  readonly bitfield: Bitfield;
  /** Pieces shown to it, not yet reported. */
  readonly shown: Set<number>;
}

export interface Revelation<Peer> {
  readonly peer: Peer;
  readonly index: number;
}

export class RevealPlan<Peer extends RevealPeer> {
  readonly #pieces = new Map<number, PieceState>();
  /** Connected peers, and how many pieces each was shown. */
  readonly #peers = new Map<Peer, number>();
  readonly #pieceLengthBytes: number;
  /** Pieces that nobody holds or was shown, oldest first. */
  readonly #hidden = new Set<number>();
  /** Pieces that peers report. */
  readonly #spread = new RateMeter();

  constructor(pieceLengthBytes: number) {
    this.#pieceLengthBytes = pieceLengthBytes;
  }

  addPiece(index: number, nowMs: number): void {
    if (this.#pieces.has(index)) return;
    let holders = 0;
    for (const peer of this.#peers.keys()) if (peer.bitfield.has(index)) holders++;
    this.#pieces.set(index, { pending: 0, holders, lastSpreadMs: nowMs });
    if (holders === 0) this.#hidden.add(index);
  }

  /** A newcomer gets its chance to fetch from the others before the seeder helps it. */
  addPeer(peer: Peer, nowMs: number): void {
    this.#peers.set(peer, 0);
    for (const piece of this.#pieces.values()) piece.lastSpreadMs = nowMs;
  }

  /** The peer's bitfield as a whole became known. */
  onBitfield(peer: Peer, nowMs: number): void {
    for (const index of this.#pieces.keys()) if (peer.bitfield.has(index)) this.onHave(peer, index, nowMs);
  }

  onHave(peer: Peer, index: number, nowMs: number): void {
    const piece = this.#pieces.get(index);
    // a standard client sees everything: what it holds may never reach the peers that pieces are shown to
    if (piece === undefined || !this.#peers.has(peer)) return;
    if (peer.shown.delete(index)) piece.pending--;
    piece.holders++;
    piece.lastSpreadMs = nowMs;
    this.#spread.add(1, nowMs);
    this.#hidden.delete(index);
  }

  /** The peer lost what it had: the piece may be nobody's again. */
  onDontHave(peer: Peer, index: number): void {
    const piece = this.#pieces.get(index);
    if (piece === undefined || !this.#peers.has(peer)) return;
    piece.holders--;
    if (piece.pending === 0 && piece.holders === 0) this.#hidden.add(index);
  }

  removePeer(peer: Peer): void {
    if (!this.#peers.delete(peer)) return;
    for (const [index, piece] of this.#pieces) {
      if (peer.shown.delete(index)) piece.pending--;
      if (peer.bitfield.has(index)) piece.holders--;
      if (piece.pending === 0 && piece.holders === 0) this.#hidden.add(index);
    }
  }

  /** What to show now; the caller sends a HAVE for each. */
  decide(nowMs: number, uploadBytesPerSecond: number): Revelation<Peer>[] {
    const revelations: Revelation<Peer>[] = [];
    const window = this.#windowPieces();
    let room = Math.max(LEAST_SHOWN, (uploadBytesPerSecond * WINDOW_SECONDS) / this.#pieceLengthBytes) - this.#shownCount();
    for (const index of this.#hidden) {
      if (room-- <= 0) break;
      const peer = this.#leastBusy(index, window);
      if (peer === undefined) break;
      revelations.push(this.#show(peer, index, nowMs));
    }
    return revelations;
  }

  /** Pieces that stopped spreading, to one more peer each. To be asked a few times a second. */
  decideStuck(nowMs: number): Revelation<Peer>[] {
    const revelations: Revelation<Peer>[] = [];
    const window = this.#windowPieces();
    const stuckMs = this.#stuckMs(nowMs);
    for (const [index, piece] of this.#pieces) {
      if (nowMs - piece.lastSpreadMs < stuckMs || piece.holders >= this.#peers.size) continue;
      const peer = this.#leastBusy(index, window);
      if (peer !== undefined) revelations.push(this.#show(peer, index, nowMs));
    }
    return revelations;
  }

  /** How long a piece may rest. Hosts that are short of processor time spread each piece once in seconds: shown again, the seeder sent 2.7 copies. */
  #stuckMs(nowMs: number): number {
    const leastMs = this.#hidden.size > 0 ? BUSY_STUCK_MS : STUCK_MS;
    const perSecond = this.#spread.rate(nowMs);
    let open = 0;
    for (const { holders } of this.#pieces.values()) if (holders < this.#peers.size) open++;
    // the last few may go their own ways
    if (perSecond === 0 || open <= this.#peers.size) return leastMs;
    return Math.max(leastMs, Math.min(MOST_STUCK_MS, (open / perSecond) * 1000 * STUCK_TIMES));
  }

  #show(peer: Peer, index: number, nowMs: number): Revelation<Peer> {
    const piece = this.#pieces.get(index) as PieceState;
    piece.pending++;
    piece.lastSpreadMs = nowMs;
    peer.shown.add(index);
    this.#peers.set(peer, (this.#peers.get(peer) ?? 0) + 1);
    this.#hidden.delete(index);
    return { peer, index };
  }

  #shownCount(): number {
    let count = 0;
    for (const peer of this.#peers.keys()) count += peer.shown.size;
    return count;
  }

  #windowPieces(): number {
    const total = WINDOW_BYTES / this.#pieceLengthBytes;
    return Math.min(MOST_WINDOW, Math.max(LEAST_WINDOW, Math.ceil(total / Math.max(1, this.#peers.size))));
  }

  /** Of the peers that lack the piece one with fewest shown pieces open, and of those the one that was shown least: each gets its share to pass on. */
  #leastBusy(index: number, window: number): Peer | undefined {
    let best: Peer | undefined;
    let leastShown = 0;
    for (const [peer, shown] of this.#peers) {
      if (peer.shown.size >= window || peer.shown.has(index) || peer.bitfield.has(index)) continue;
      const isBetter =
        best === undefined || peer.shown.size < best.shown.size || (peer.shown.size === best.shown.size && shown < leastShown);
      if (!isBetter) continue;
      best = peer;
      leastShown = shown;
    }
    return best;
  }
}
