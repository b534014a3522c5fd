/**
 * One peer inside one torrent: its BEP 3 state and the meaning of its messages. Checks what a message may say;
 * what follows from it is the business of whoever implements LinkEvents.
 *
 * Invariant: `inFlightBytes` is the sum of `requests`; bitfield changes are reported before anything that depends on them.
 */
import { SkimmerError } from "../../system/errors.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import { isOurs, isSeeder } from "../../torrents/peer-id.ts";
import type { FastGrant } from "./allowed-fast.ts";
import { Bitfield } from "./bitfield.ts";
import type { Connection } from "./connection.ts";
import type { BlockRun, PieceDownload } from "./piece-download.ts";
import { RequestDepth } from "./request-depth.ts";
import { type ExtendedHandshake, OUR_EXTENSION, parseExtendedHandshake } from "./wire/extended-handshake.ts";
import { type BlockRange, encodeExtended, encodeFlag, MESSAGE } from "./wire/messages.ts";
import type { WireHandler } from "./wire/wire-parser.ts";

/** A request of ours that is on its way. */
export interface OpenRequest extends BlockRun {
  readonly piece: PieceDownload<PeerLink>;
}

export interface LinkEvents {
  onBitfield(link: PeerLink): void;
  onHave(link: PeerLink, index: number): void;
  /** It has the piece no more (BEP 54). */
  onDontHave(link: PeerLink, index: number): void;
  onChoked(link: PeerLink): void;
  onUnchoked(link: PeerLink): void;
  /** It chokes us, and lets us ask for a piece more all the same. */
  onAllowedFast(link: PeerLink): void;
  onInterest(link: PeerLink): void;
  onRequest(link: PeerLink, range: BlockRange): void;
  onCancel(link: PeerLink, range: BlockRange): void;
  onReject(link: PeerLink, range: BlockRange): void;
  onBlockBegin(link: PeerLink, range: BlockRange): Buffer | undefined;
  onBlockEnd(link: PeerLink, range: BlockRange): void;
  /** The first one; later ones only change `extensions`. */
  onExtendedHandshake(link: PeerLink): void;
  /** A message of BEP 52. */
  onHashMessage(link: PeerLink, id: number, payload: Buffer): void;
  onExtended(link: PeerLink, extensionId: number, payload: Buffer): void;
}

const NO_EXTENSIONS: ExtendedHandshake = {
  metadata: 0,
  pex: 0,
  live: 0,
  uploadOnly: 0,
  needsNothing: false,
  metadataBytes: 0,
  port: 0,
  requestQueue: 250,
  blockBytes: 16384,
};
/** A peer may tell of new extensions later on (BEP 10), but not without end. */
const MOST_EXTENDED_HANDSHAKES = 20;
/** More of them are not listened to. */
const MOST_ALLOWED_FAST = 50;
const LEAST_DEPTH_BYTES = 64 * 1024;
/** What a seeder shows us nobody else has, and nobody else asks it for. */
const LEAST_DEPTH_AT_SEEDER_BYTES = 256 * 1024;
const NOTHING = Buffer.alloc(0);
/** Blocks that we never asked for; more of them and the connection ends. */
const MOST_UNWANTED_BYTES = 8 * 1024 * 1024;

export class PeerLink implements WireHandler {
  readonly connection: Connection;
  readonly peerId: PeerId;
  readonly ours: boolean;
  readonly seeder: boolean;
  readonly fast: boolean;
  readonly bitfield: Bitfield;
  readonly depth: RequestDepth;
  /** BEP 16: pieces that we showed it (seeder only). */
  readonly shown = new Set<number>();
  amChoking = true;
  amInterested = false;
  peerChoking = true;
  peerInterested = false;
  /** What it lets us ask for while it chokes us; undefined: nothing (BEP 6). */
  allowedFast: Bitfield | undefined;
  /** What we let it ask for while we choke it. */
  granted: FastGrant | undefined;
  extensions = NO_EXTENSIONS;
  /** Pieces that it has and we lack. */
  interesting = 0;
  requests: OpenRequest[] = [];
  inFlightBytes = 0;
  /** The piece that it is bringing. */
  current: PieceDownload<PeerLink> | undefined;
  /** The piece into whose buffer its bytes flow right now. */
  receiving: PieceDownload<PeerLink> | undefined;
  /** What it asked of us and did not get yet. */
  wanted: BlockRange[] = [];
  uploading = false;
  uploadedBytes = 0;
  uploadRate: RequestDepth;
  lastBlockMs: number;
  snubbed = false;
  unwantedBytes = 0;
  readonly infoHash: InfoHash;
  readonly #events: LinkEvents;
  readonly #nowMs: () => number;
  #sawBitfield = false;
  #requestedAtMs = 0;
  #extendedHandshakes = 0;
  #needsNothing = false;

  constructor(options: {
    connection: Connection;
    peerId: PeerId;
    infoHash: InfoHash;
    fast: boolean;
    pieceCount: number;
    events: LinkEvents;
    nowMs: () => number;
  }) {
    this.connection = options.connection;
    this.peerId = options.peerId;
    this.infoHash = options.infoHash;
    this.ours = isOurs(options.peerId);
    this.seeder = isSeeder(options.peerId);
    this.fast = options.fast;
    this.bitfield = new Bitfield(options.pieceCount);
    this.#events = options.events;
    this.#nowMs = options.nowMs;
    this.lastBlockMs = options.nowMs();
    this.depth = new RequestDepth(this.seeder ? LEAST_DEPTH_AT_SEEDER_BYTES : LEAST_DEPTH_BYTES, this.lastBlockMs);
    this.uploadRate = new RequestDepth(0, this.lastBlockMs);
  }

  /** It will never ask us for anything, as far as it told: it has all it wants (BEP 21). */
  get needsNothing(): boolean {
    return this.#needsNothing || this.bitfield.isFull;
  }

  /** Whether it may be asked for anything: choked, for what it allows all the same (BEP 6). */
  get mayAsk(): boolean {
    return !this.peerChoking || this.allowedFast !== undefined;
  }

  /** Whether it has the piece, and may be asked for it. */
  offers(index: number): boolean {
    return this.bitfield.has(index) && (!this.peerChoking || this.allowedFast?.has(index) === true);
  }

  /** Longest request that this peer accepts. */
  get requestBytes(): number {
    return this.extensions.blockBytes;
  }

  /** The port that it can be dialled at; 0 where it is not known, or it was not met over TCP. */
  get listenPort(): number {
    if (this.connection.transport === "webrtc") return 0;
    return this.connection.incoming ? this.extensions.port : this.connection.port;
  }

  setChoking(choking: boolean): void {
    if (choking === this.amChoking) return;
    this.amChoking = choking;
    this.connection.send(encodeFlag(choking ? MESSAGE.choke : MESSAGE.unchoke));
  }

  setInterested(interested: boolean): void {
    if (interested === this.amInterested) return;
    this.amInterested = interested;
    this.connection.send(encodeFlag(interested ? MESSAGE.interested : MESSAGE.notInterested));
  }

  /** We have all that we want (BEP 21): a peer that has it too need not keep the connection. */
  tellNeedsNothing(): void {
    if (this.extensions.uploadOnly > 0) this.connection.send(encodeExtended(this.extensions.uploadOnly, Buffer.from([1])));
  }

  addRequest(request: OpenRequest): void {
    if (this.inFlightBytes === 0) this.#requestedAtMs = this.lastBlockMs = this.#nowMs();
    this.requests.push(request);
    this.inFlightBytes += request.length;
  }

  /** Takes the request out of the list; undefined where there is none for the range. */
  takeRequest(range: BlockRange): OpenRequest | undefined {
    const at = this.requests.findIndex(
      (open) => open.piece.index === range.index && open.begin === range.begin && open.length === range.length,
    );
    if (at < 0) return undefined;
    const request = this.requests[at];
    if (at === 0) this.requests.shift();
    else this.requests.splice(at, 1);
    this.inFlightBytes -= request.length;
    return request;
  }

  onMessage(id: number, payload: Buffer): void {
    switch (id) {
      case MESSAGE.choke:
        this.peerChoking = true;
        return this.#events.onChoked(this);
      case MESSAGE.unchoke:
        this.peerChoking = false;
        return this.#events.onUnchoked(this);
      case MESSAGE.interested:
      case MESSAGE.notInterested:
        return this.#onInterest(id === MESSAGE.interested);
      case MESSAGE.have:
        return this.#onHave(index(payload, this.bitfield.length));
      case MESSAGE.bitfield:
      case MESSAGE.haveAll:
      case MESSAGE.haveNone:
        return this.#onBitfield(id, payload);
      case MESSAGE.request:
        return this.#events.onRequest(this, blockRange(payload));
      case MESSAGE.cancel:
        return this.#events.onCancel(this, blockRange(payload));
      case MESSAGE.reject:
        return this.#events.onReject(this, blockRange(payload));
      case MESSAGE.allowedFast:
        return this.#onAllowedFast(payload);
      case MESSAGE.extended:
        return this.#onExtended(payload);
      case MESSAGE.hashRequest:
      case MESSAGE.hashes:
      case MESSAGE.hashReject:
        return this.#events.onHashMessage(this, id, payload);
      default:
        // port, suggest and everything unknown change nothing for us
        return;
    }
  }

  /** What it refuses to send it does not have for us; it may announce it again. */
  forgetPiece(index: number): void {
    this.#onDontHave(index);
  }

  onBlockBegin(index: number, begin: number, length: number): Buffer | undefined {
    return this.#events.onBlockBegin(this, { index, begin, length });
  }

  onBlockBytes(count: number): void {
    const nowMs = this.#nowMs();
    this.lastBlockMs = nowMs;
    this.snubbed = false;
    if (this.#requestedAtMs > 0) this.depth.onFirstAnswer(nowMs - this.#requestedAtMs, nowMs);
    this.#requestedAtMs = 0;
    this.depth.onBytes(count, nowMs);
  }

  onBlockEnd(index: number, begin: number, length: number): void {
    this.#events.onBlockEnd(this, { index, begin, length });
  }

  /** Its bytes must not reach the piece's buffer any more. */
  stopReceiving(piece: PieceDownload<PeerLink>): void {
    if (this.receiving !== piece) return;
    this.receiving = undefined;
    this.connection.dropBlock();
  }

  /** A block nobody asked for; throws when there were too many. */
  countUnwanted(length: number): void {
    this.unwantedBytes += length;
    if (this.unwantedBytes > MOST_UNWANTED_BYTES) throw new SkimmerError("protocol", "peer keeps sending blocks that were not asked for");
  }

  /** Only a change is news: who repeats himself costs nobody's choking rounds. */
  #onInterest(interested: boolean): void {
    if (interested === this.peerInterested) return;
    this.peerInterested = interested;
    this.#events.onInterest(this);
  }

  /** A hint: what makes no sense, or is too much, is passed over. */
  #onAllowedFast(payload: Buffer): void {
    const { length } = this.bitfield;
    const piece = payload.length === 4 ? payload.readUInt32BE(0) : length;
    if (!this.fast || piece >= length) return;
    this.allowedFast ??= new Bitfield(length);
    if (this.allowedFast.count >= MOST_ALLOWED_FAST || !this.allowedFast.add(piece)) return;
    if (this.peerChoking) this.#events.onAllowedFast(this);
  }

  #onHave(piece: number): void {
    if (!this.#sawBitfield) this.#onBitfield(MESSAGE.haveNone, NOTHING);
    if (this.bitfield.add(piece)) this.#events.onHave(this, piece);
  }

  /** Once at the beginning; aria2 also sends one later, in place of many HAVEs. */
  #onBitfield(id: number, payload: Buffer): void {
    const { length } = this.bitfield;
    // what can tell nothing new is not looked through: five bytes would cost a walk over all pieces
    if (this.#sawBitfield && (id === MESSAGE.haveNone || this.bitfield.isFull)) return;
    const field = id === MESSAGE.bitfield ? Bitfield.fromWire(payload, length) : new Bitfield(length);
    if (field === undefined) throw new SkimmerError("protocol", "peer sent a bitfield of the wrong length");
    if (id === MESSAGE.haveAll) field.addAll();
    const first = !this.#sawBitfield;
    this.#sawBitfield = true;
    for (let piece = 0; piece < length; piece++) {
      if (field.has(piece) && this.bitfield.add(piece) && !first) this.#events.onHave(this, piece);
    }
    if (first) this.#events.onBitfield(this);
  }

  #onDontHave(piece: number): void {
    if (this.bitfield.delete(piece)) this.#events.onDontHave(this, piece);
  }

  #onExtended(payload: Buffer): void {
    if (payload.length === 0) throw new SkimmerError("protocol", "peer sent an empty extension message");
    if (payload[0] === OUR_EXTENSION.dontHave) return this.#onDontHave(index(payload.subarray(1), this.bitfield.length));
    if (payload[0] === OUR_EXTENSION.uploadOnly) {
      this.#needsNothing = payload[1] === 1;
      return;
    }
    if (payload[0] !== 0) return this.#events.onExtended(this, payload[0], payload.subarray(1));
    if (++this.#extendedHandshakes > MOST_EXTENDED_HANDSHAKES) throw new SkimmerError("protocol", "peer keeps shaking hands");
    this.extensions = parseExtendedHandshake(payload.subarray(1));
    this.#needsNothing = this.extensions.needsNothing;
    if (this.#extendedHandshakes === 1) this.#events.onExtendedHandshake(this);
  }
}

function index(payload: Buffer, count: number): number {
  const value = payload.length === 4 ? payload.readUInt32BE(0) : count;
  if (value >= count) throw new SkimmerError("protocol", `peer named piece ${value} of ${count}`);
  return value;
}

function blockRange(payload: Buffer): BlockRange {
  if (payload.length !== 12) throw new SkimmerError("protocol", "peer sent a malformed block range");
  return { index: payload.readUInt32BE(0), begin: payload.readUInt32BE(4), length: payload.readUInt32BE(8) };
}
