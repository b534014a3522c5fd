/**
 * Asks peers for pieces: which piece from whom, how many blocks ahead, what to do with blocks that come.
 *
 * A piece comes from one peer, block run after block run; when the others have nothing else to do they help with pieces of
 * peers that are slow or silent (end game). Invariant: every request of a link belongs to a piece in `pieces`,
 * and every block that is REQUESTED there belongs to a request of some link.
 */
import { BLOCK_BYTES } from "../../torrents/geometry.ts";
import { Bitfield } from "./bitfield.ts";
import type { OpenRequest, PeerLink } from "./peer-link.ts";
import { Picker } from "./picker.ts";
import { PieceDownload } from "./piece-download.ts";
import { QUEUE_SECONDS, RequestDepth } from "./request-depth.ts";
import { isHere, type SwarmState } from "./swarm-state.ts";
import type { PieceSpan } from "./types.ts";
import { type BlockRange, encodeRanges, MESSAGE } from "./wire/messages.ts";

/** Share of the buffer pool that pieces in progress of one torrent may fill. */
const BUFFER_SHARE = 0.6;
const LEAST_PIECES = 3;
/** On order at all peers together, at least. */
const LEAST_ON_ORDER_BYTES = 512 * 1024;
const LONGEST_ROUND_TRIP_MS = 1000;
/** A request is no longer than this share of what may be on order at the peer: over a slow link long ones would wait for each other. */
const REQUEST_SHARE = 0.25;
/** A peer that brings nothing for so long lets others help with its piece … */
const HELP_AFTER_MS = 400;
/** … while less than this is on order: where our own link is full, asking twice only takes its room. */
const HELP_BELOW_SECONDS = 0.1;
/** … and after this time loses its requests. */
const SNUB_AFTER_MS = 8000;

export interface DownloaderEvents {
  /** All blocks are here. The receiver takes the piece's slot over. */
  onWholePiece(piece: PieceDownload<PeerLink>): void;
  /** The peer owes blocks and sent nothing for `withinMs`. */
  onStalled(link: PeerLink, withinMs: number): void;
  /** The peer announced the piece, lets us ask, and refuses to send what is still wanted. */
  onRefused(link: PeerLink, index: number): void;
}

export class Downloader {
  readonly picker: Picker;
  readonly pieces = new Map<number, PieceDownload<PeerLink>>();
  on = false;
  /** True: nobody but seeders of the cluster is asked. */
  seedersOnly = false;
  readonly #state: SwarmState;
  readonly #events: DownloaderEvents;
  readonly #mostPieces: number;
  readonly #retry = new WeakMap<PeerLink, () => void>();
  /** What all peers together bring. */
  readonly #rate: RequestDepth;
  /** Pieces that the origin fetcher brings. */
  readonly #claimed = new Set<number>();
  /** Pieces whose blocks are here and whose hash is being checked. */
  readonly #hashing = new Set<number>();
  /** Pieces that somebody waits for; undefined: all of them. */
  #wanted: Bitfield | undefined;
  /** Pieces that some link works on, while fillAll() runs: looked for at each link anew, 200 links took 1.4 × the processor time. */
  #taken: Set<PieceDownload<PeerLink>> | undefined;
  /** In `pieces`, claimed or being checked. */
  readonly #onTheWay: Bitfield;

  constructor(state: SwarmState, events: DownloaderEvents) {
    this.#state = state;
    this.#events = events;
    this.picker = new Picker(state.geometry.pieceCount);
    this.#onTheWay = new Bitfield(state.geometry.pieceCount);
    this.#rate = new RequestDepth(0, state.clock.nowMs());
    this.#mostPieces = Math.max(LEAST_PIECES, Math.floor((state.buffers.budgetBytes * BUFFER_SHARE) / state.geometry.pieceLengthBytes));
  }

  /** The origin fetcher brings this missing piece. */
  claim(index: number): void {
    this.#claimed.add(index);
    this.#onTheWay.add(index);
  }

  /** It does not, or it has. */
  unclaim(index: number): void {
    if (this.#claimed.delete(index)) this.#onTheWay.delete(index);
  }

  /** Whether peers bring the piece, or its check runs. */
  isUnderWay(index: number): boolean {
    return this.pieces.has(index) || this.#hashing.has(index);
  }

  /** Whether the piece is to be fetched, and nobody does so yet. */
  isNeeded(index: number): boolean {
    const missing = !isHere(this.#state, index) && !this.#onTheWay.has(index);
    return missing && (this.#wanted?.has(index) ?? true);
  }

  /** Only these pieces are fetched from now on; undefined: all of them. */
  setWanted(spans: readonly PieceSpan[] | undefined): void {
    if (spans === undefined) {
      this.#wanted = undefined;
      return;
    }
    this.#wanted = new Bitfield(this.#state.geometry.pieceCount);
    for (const { first, last } of spans) for (let index = first; index <= last; index++) this.#wanted.add(index);
  }

  /** The piece's check ended, well or badly. */
  onChecked(index: number): void {
    if (this.#hashing.delete(index)) this.#onTheWay.delete(index);
  }

  /**
   * Orders from every peer that has something for us. Who owes us least comes first: what may be on order is bounded, and the same few
   * peers would get it all (simulated with 16 hosts: their links were full and others' idle; 1.26 × the ideal time in place of 1.13).
   */
  fillAll(): void {
    if (!this.on) return;
    const { links, random } = this.#state;
    const order = [...links].map((link) => ({ link, rank: link.inFlightBytes + random() }));
    order.sort((one, other) => one.rank - other.rank);
    try {
      this.#taken = this.#takenPieces();
      for (const { link } of order) this.fill(link);
    } finally {
      this.#taken = undefined;
    }
  }

  /** Orders from one peer up to its depth. */
  fill(link: PeerLink): void {
    if (!this.on || !link.mayAsk || !link.amInterested || link.connection.closed || (this.seedersOnly && !link.seeder)) return;
    const ranges: BlockRange[] = [];
    const { targetBytes } = link.depth;
    const mostOpen = link.extensions.requestQueue;
    const requestBytes = Math.max(BLOCK_BYTES, Math.min(link.requestBytes, targetBytes * REQUEST_SHARE));
    // what the seeder shows us nobody else has yet: it comes first
    let roomBytes = link.seeder ? Number.POSITIVE_INFINITY : this.#roomBytes(link);
    while (roomBytes > 0 && link.inFlightBytes < (link.snubbed ? 1 : targetBytes) && link.requests.length < mostOpen) {
      if (!this.#state.downloadLimiter.tryTake(requestBytes, this.#retryOf(link))) break;
      const request = this.#nextRequest(link, requestBytes);
      this.#state.downloadLimiter.refund(requestBytes - (request?.length ?? 0));
      if (request === undefined) break;
      link.addRequest(request);
      roomBytes -= request.length;
      ranges.push({ index: request.piece.index, begin: request.begin, length: request.length });
    }
    if (ranges.length > 0) link.connection.send(encodeRanges(MESSAGE.request, ranges));
  }

  /**
   * What may still be ordered, over all peers: their common rate × (round trip + a short queue). Without this bound every peer would bring
   * a different piece at a fraction of the rate, and a piece can be passed on only once it is whole. Where `link` alone brings anything, its own
   * depth is enough.
   */
  #roomBytes(link: PeerLink): number {
    const nowMs = this.#state.clock.nowMs();
    let isAlone = true;
    let inFlightBytes = 0;
    let roundTripMs = LONGEST_ROUND_TRIP_MS;
    for (const other of this.#state.links) {
      // who went silent does not hold up the others
      if (other.seeder || other.inFlightBytes === 0 || nowMs - other.lastBlockMs > HELP_AFTER_MS) continue;
      if (other !== link) isAlone = false;
      inFlightBytes += other.inFlightBytes;
      // the shortest: what a longer one has on top is mostly waiting in queues, which a longer order would only lengthen
      if (other.depth.roundTripMs > 0) roundTripMs = Math.min(roundTripMs, other.depth.roundTripMs);
    }
    if (isAlone) return Number.POSITIVE_INFINITY;
    const seconds = QUEUE_SECONDS + roundTripMs / 1000;
    return Math.max(LEAST_ON_ORDER_BYTES, this.#rate.bytesPerSecond * seconds) - inFlightBytes;
  }

  #nextRequest(link: PeerLink, mostBytes: number): OpenRequest | undefined {
    const { current } = link;
    if (!current?.hasMissing || this.pieces.get(current.index) !== current || !link.offers(current.index)) {
      link.current = this.#orphan(link) ?? this.#start(link);
      if (link.current !== undefined) this.#taken?.add(link.current);
    }
    const run = link.current?.takeRun(mostBytes);
    if (run !== undefined && link.current !== undefined) return { ...run, piece: link.current };
    return this.#help(link);
  }

  /** A piece with missing blocks that nobody works on. */
  #orphan(link: PeerLink): PieceDownload<PeerLink> | undefined {
    const taken = this.#taken ?? this.#takenPieces();
    for (const piece of this.pieces.values()) {
      if (piece.hasMissing && link.offers(piece.index) && !taken.has(piece)) return piece;
    }
    return undefined;
  }

  /** Pieces that some link works on. */
  #takenPieces(): Set<PieceDownload<PeerLink>> {
    const taken = new Set<PieceDownload<PeerLink>>();
    for (const link of this.#state.links) {
      const { current } = link;
      if (current !== undefined && !link.snubbed && link.offers(current.index)) taken.add(current);
    }
    return taken;
  }

  #start(link: PeerLink): PieceDownload<PeerLink> | undefined {
    if (this.pieces.size + this.#hashing.size >= this.#mostPieces) return undefined;
    const { truth, buffers, random, have, unverified } = this.#state;
    const allowed = [truth.checkable, this.#wanted, link.peerChoking ? link.allowedFast : undefined].filter((field) => field !== undefined);
    const index = this.picker.pick({ holder: link.bitfield, allowed, taken: [have, unverified, this.#onTheWay] }, random);
    if (index < 0) return undefined;
    const slot = buffers.tryAcquire(truth.paddedLengthAt(index));
    if (slot === undefined) return undefined;
    const piece = new PieceDownload<PeerLink>({ index, lengthBytes: truth.lengthAt(index), slot });
    this.pieces.set(index, piece);
    this.#onTheWay.add(index);
    return piece;
  }

  /** End game: blocks that a slow or silent peer owes us, once more from this one. */
  #help(link: PeerLink): OpenRequest | undefined {
    const nowMs = this.#state.clock.nowMs();
    let onOrderBytes = 0;
    for (const other of this.#state.links) if (nowMs - other.lastBlockMs <= HELP_AFTER_MS) onOrderBytes += other.inFlightBytes;
    if (onOrderBytes > this.#rate.bytesPerSecond * HELP_BELOW_SECONDS) return undefined;
    for (const other of this.#state.links) {
      if (other === link || other.requests.length === 0 || !isSlow(other, link, nowMs)) continue;
      for (const request of other.requests) {
        const { piece } = request;
        const asked = link.requests.some((open) => open.piece === piece && open.begin === request.begin);
        if (asked || !link.offers(piece.index) || !piece.wants(request) || request.length > link.requestBytes) continue;
        return { begin: request.begin, length: request.length, piece };
      }
    }
    return undefined;
  }

  /** Where the block's bytes go; undefined: nobody wants them (any more). */
  onBlockBegin(link: PeerLink, range: BlockRange): Buffer | undefined {
    const request = link.requests.find(
      (open) => open.piece.index === range.index && open.begin === range.begin && open.length === range.length,
    );
    if (request === undefined || this.pieces.get(range.index) !== request.piece || !request.piece.wants(request)) return undefined;
    link.receiving = request.piece;
    return request.piece.slot.bytes.subarray(range.begin, range.begin + range.length);
  }

  onBlockEnd(link: PeerLink, range: BlockRange): void {
    const request = link.takeRequest(range);
    const received = link.receiving;
    link.receiving = undefined;
    this.#rate.onBytes(range.length, this.#state.clock.nowMs());
    if (request === undefined) return link.countUnwanted(range.length);
    const { piece } = request;
    if (received === piece && this.pieces.get(piece.index) === piece && piece.wants(request)) {
      piece.receive(request, link);
      this.#cancelElsewhere(link, request);
      if (piece.isWhole) this.#finish(piece);
    } else {
      // asked for only after these bytes had begun, which went nowhere: what a snubbed peer sends late answers a request that was dropped
      this.#release(link, request);
    }
    if (link.current?.hasMissing) this.fill(link);
    else this.fillAll();
  }

  #finish(piece: PieceDownload<PeerLink>): void {
    this.pieces.delete(piece.index);
    for (const link of this.#state.links) link.stopReceiving(piece);
    this.#hashing.add(piece.index);
    this.#events.onWholePiece(piece);
  }

  #cancelElsewhere(link: PeerLink, request: OpenRequest): void {
    for (const other of this.#state.links) {
      if (other === link || other.requests.length === 0) continue;
      const range = { index: request.piece.index, begin: request.begin, length: request.length };
      if (!other.requests.some((open) => open.piece === request.piece && open.begin === request.begin)) continue;
      other.connection.send(encodeRanges(MESSAGE.cancel, [range]));
    }
  }

  /** The peer will not answer this request. */
  onReject(link: PeerLink, range: BlockRange): void {
    const request = link.takeRequest(range);
    if (request === undefined) return;
    // what a cancel answers is no refusal: the block is here
    const refused = !link.peerChoking && request.piece.wants(request) && link.bitfield.has(range.index);
    if (link.peerChoking) link.allowedFast?.delete(range.index);
    this.#giveBack(link, request);
    if (link.current === request.piece) link.current = undefined;
    if (!refused) return;
    this.#events.onRefused(link, range.index);
    this.fillAll();
  }

  /** Everything that was on order at this peer is missing again. */
  dropRequests(link: PeerLink): void {
    const dropped = link.requests;
    link.requests = [];
    link.inFlightBytes = 0;
    link.current = undefined;
    for (const request of dropped) this.#giveBack(link, request);
  }

  #giveBack(link: PeerLink, request: OpenRequest): void {
    this.#state.downloadLimiter.refund(request.length);
    this.#release(link, request);
  }

  /** The link does not bring these blocks: they are missing again, unless another one was asked for them too. */
  #release(link: PeerLink, request: OpenRequest): void {
    for (const other of this.#state.links) {
      if (other !== link && other.requests.some((open) => open.piece === request.piece && open.begin === request.begin)) return;
    }
    request.piece.giveBack(request);
  }

  /** A few times a second: peers that went silent lose their requests; the others look for work. */
  tick(nowMs: number): void {
    for (const link of this.#state.links) {
      if (link.requests.length === 0 || nowMs - link.lastBlockMs < SNUB_AFTER_MS) continue;
      link.snubbed = true;
      this.dropRequests(link);
      // it let us ask, and thought better of it
      if (link.peerChoking && link.allowedFast !== undefined) link.allowedFast = undefined;
      else this.#events.onStalled(link, SNUB_AFTER_MS);
    }
    this.fillAll();
  }

  /** Stops asking; what is on its way is dropped. */
  stop(): void {
    this.on = false;
    for (const link of this.#state.links) this.dropRequests(link);
    for (const piece of this.pieces.values()) {
      for (const link of this.#state.links) link.stopReceiving(piece);
      this.#state.buffers.release(piece.slot);
      this.#onTheWay.delete(piece.index);
    }
    this.pieces.clear();
  }

  #retryOf(link: PeerLink): () => void {
    let retry = this.#retry.get(link);
    if (retry === undefined) {
      retry = () => this.fill(link);
      this.#retry.set(link, retry);
    }
    return retry;
  }
}

/** Whether `other` is so slow that `link` had better ask for its blocks too. */
function isSlow(other: PeerLink, link: PeerLink, nowMs: number): boolean {
  if (nowMs - other.lastBlockMs > HELP_AFTER_MS) return true;
  const restSeconds = other.inFlightBytes / Math.max(1, other.depth.bytesPerSecond);
  return restSeconds > 1 && other.depth.bytesPerSecond < link.depth.bytesPerSecond / 2;
}
