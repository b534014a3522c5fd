/**
 * Tells connected peers which pieces we have: all of them at a peer, few at a time at the seeder of a live torrent (reveal.ts). Drives.
 * Invariant: a piece's record group goes ahead of its HAVE, except to a host that has the piece: it has the group too.
 */
import { ALLOWED_FAST_PIECES, allowedFastSet, FastGrant } from "./allowed-fast.ts";
import type { LiveExchange } from "./live-exchange.ts";
import type { PeerLink } from "./peer-link.ts";
import { RequestDepth } from "./request-depth.ts";
import { RevealPlan } from "./reveal.ts";
import { isHere, type SwarmState } from "./swarm-state.ts";
import type { Uploader } from "./uploader.ts";
import { encodeBitfield, encodeFlag, encodeIndex, MESSAGE } from "./wire/messages.ts";

export class PieceSpread {
  readonly #state: SwarmState;
  readonly #uploader: Uploader;
  readonly #live: LiveExchange | undefined;
  readonly #reveal: RevealPlan<PeerLink> | undefined;
  /** What the seeder gives away, for the reveal's window. */
  readonly #uploadRate: RequestDepth;
  #uploadSeenBytes = 0;

  /** `hides`: new pieces are shown to few peers first. */
  constructor(parts: { state: SwarmState; uploader: Uploader; live: LiveExchange | undefined; hides: boolean }) {
    this.#state = parts.state;
    this.#uploader = parts.uploader;
    this.#live = parts.live;
    this.#uploadRate = new RequestDepth(0, this.#state.clock.nowMs());
    if (!parts.hides) return;
    this.#reveal = new RevealPlan(this.#state.geometry.pieceLengthBytes);
    for (let index = 0; index < this.#state.have.length; index++) {
      if (isHere(this.#state, index)) this.#reveal.addPiece(index, this.#state.clock.nowMs());
    }
  }

  /** A peer shook hands: tells it what we have. */
  greet(link: PeerLink): void {
    const { have } = this.#state;
    const hidden = this.#reveal !== undefined && link.ours;
    if (hidden) this.#reveal?.addPeer(link, this.#state.clock.nowMs());
    if (hidden || have.count === 0) {
      if (link.fast) link.connection.send(encodeFlag(MESSAGE.haveNone));
    } else if (have.isFull && link.fast) link.connection.send(encodeFlag(MESSAGE.haveAll));
    else link.connection.send(encodeBitfield(have.bytes));
    if (hidden) this.#show();
  }

  /** A piece is ours and true. */
  announce(index: number): void {
    if (this.#reveal === undefined) {
      for (const link of this.#state.links) this.#sendHave(link, index);
      return;
    }
    this.#reveal.addPiece(index, this.#state.clock.nowMs());
    const group = this.#state.truth.groupOf(index);
    for (const link of this.#state.links) {
      if (link.ours) this.#live?.tell(link, group);
      else link.connection.send(encodeIndex(MESSAGE.have, index));
    }
    this.#show();
  }

  onBitfield(link: PeerLink): void {
    this.#grant(link);
    this.#reveal?.onBitfield(link, this.#state.clock.nowMs());
    this.#show();
  }

  onHave(link: PeerLink, index: number): void {
    this.#reveal?.onHave(link, index, this.#state.clock.nowMs());
    this.#show();
  }

  onDontHave(link: PeerLink, index: number): void {
    this.#reveal?.onDontHave(link, index);
    this.#show();
  }

  onGone(link: PeerLink): void {
    this.#reveal?.removePeer(link);
    this.#show();
  }

  /** Called a few times a second. */
  tick(nowMs: number): void {
    for (const { peer, index } of this.#reveal?.decideStuck(nowMs) ?? []) this.#sendHave(peer, index);
  }

  /** A newcomer of another client may begin with a few pieces though it is choked; ours have places of their own. */
  #grant(link: PeerLink): void {
    if (link.ours || !link.fast || link.bitfield.count >= ALLOWED_FAST_PIECES || link.granted !== undefined) return;
    const { have, truth } = this.#state;
    const { connection, infoHash } = link;
    const allowed = allowedFastSet({ host: connection.host, infoHash }, have.length).filter((index) => have.has(index));
    if (allowed.length === 0) return;
    link.granted = new FastGrant(allowed.map((index) => ({ index, lengthBytes: truth.lengthAt(index) })));
    for (const index of allowed) connection.send(encodeIndex(MESSAGE.allowedFast, index));
  }

  #sendHave(link: PeerLink, index: number): void {
    const have = encodeIndex(MESSAGE.have, index);
    // a system call and a wake-up for nothing, were it sent at once: half of all in a swarm of 16. The seeder goes by what it is told.
    if (link.bitfield.has(index) && !link.seeder) {
      if (link.ours) link.connection.sendAlong(have);
      return;
    }
    this.#live?.tell(link, this.#state.truth.groupOf(index));
    link.connection.send(have);
  }

  #show(): void {
    if (this.#reveal === undefined) return;
    const nowMs = this.#state.clock.nowMs();
    this.#uploadRate.onBytes(this.#uploader.uploadedBytes - this.#uploadSeenBytes, nowMs);
    this.#uploadSeenBytes = this.#uploader.uploadedBytes;
    for (const { peer, index } of this.#reveal.decide(nowMs, this.#uploadRate.bytesPerSecond)) this.#sendHave(peer, index);
  }
}
