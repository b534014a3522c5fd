/**
 * A peer that does nothing but take: it asks one seed for every block of a torrent, a few pieces ahead, and compares what comes with
 * what it should be. Like a daemon of ours it asks again for what was refused, and says when it wants nothing any more.
 */
import { randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import net from "node:net";
import { encodeHandshake, HANDSHAKE_BYTES } from "../../peer/engine/wire/handshake.ts";
import { type BlockRange, encodeFlag, encodeIndex, encodeRanges, MESSAGE } from "../../peer/engine/wire/messages.ts";
import { type WireHandler, WireParser } from "../../peer/engine/wire/wire-parser.ts";
import { parseHostPort } from "../../system/addresses.ts";
import { infoHashV1, parseInfoV1 } from "../../torrents/final-torrents.ts";
import { BLOCK_BYTES } from "../../torrents/geometry.ts";
import { makePeerId } from "../../torrents/peer-id.ts";

const AHEAD = 32;
const MESSAGE_BYTES = 1 << 20;

/** What it takes, and what that must be. */
export interface WireContent {
  readonly infoV1: Buffer;
  readonly bytes: Buffer;
}

export interface WireManner {
  /** Does not say that it wants nothing any more. */
  readonly staysInterested: boolean;
}

export class WirePeer extends EventEmitter<{ done: []; error: [Error] }> implements WireHandler {
  readonly #socket: net.Socket;
  readonly #content: WireContent;
  readonly #pieceLengthBytes: number;
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #left: number;
  /** What the seed has, and did not send or was not asked for yet; the last one is next. */
  #wanted: BlockRange[] = [];
  #open = 0;
  #choked = true;
  #interested = false;

  readonly #staysInterested: boolean;

  private constructor(socket: net.Socket, content: WireContent, { staysInterested }: WireManner) {
    super();
    this.#staysInterested = staysInterested;
    this.#socket = socket;
    this.#content = content;
    this.#left = content.bytes.length;
    this.#pieceLengthBytes = parseInfoV1(content.infoV1).geometry.pieceLengthBytes;
  }

  /** Dials, shakes hands and begins. */
  static async connect(address: string, content: WireContent, manner: WireManner = { staysInterested: false }): Promise<WirePeer> {
    const socket = net.connect(parseHostPort(address));
    await once(socket, "connect");
    const peer = new WirePeer(socket, content, manner);
    const parser = new WireParser(peer, { blockBytes: BLOCK_BYTES, messageBytes: MESSAGE_BYTES });
    let handshakeLeft = HANDSHAKE_BYTES;
    socket.on("data", (bytes) => {
      const skipped = Math.min(handshakeLeft, bytes.length);
      handshakeLeft -= skipped;
      if (skipped < bytes.length) parser.feed(bytes.subarray(skipped), bytes.length - skipped);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => peer.#onClose());
    // a client that the choker treats like our own daemons
    socket.write(encodeHandshake({ infoHash: infoHashV1(content.infoV1), peerId: makePeerId("peer", randomBytes(20)) }));
    socket.write(encodeFlag(MESSAGE.haveNone));
    return peer;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  close(): void {
    this.removeAllListeners();
    this.#left = 0;
    this.#socket.destroy();
  }

  onMessage(id: number, payload: Buffer): void {
    if (id === MESSAGE.choke || id === MESSAGE.unchoke) this.#choked = id === MESSAGE.choke;
    else if (id === MESSAGE.reject) {
      this.#open--;
      this.#wanted.push({ index: payload.readUInt32BE(0), begin: payload.readUInt32BE(4), length: payload.readUInt32BE(8) });
    } else if (id === MESSAGE.have) this.#onPiece(payload.readUInt32BE(0));
    else if (id === MESSAGE.haveAll) for (let index = 0; index < this.#pieceCount; index++) this.#onPiece(index);
    this.#ask();
  }

  onBlockBegin(_index: number, _begin: number, length: number): Buffer {
    return this.#block.subarray(0, length);
  }

  onBlockBytes(): void {}

  onBlockEnd(index: number, begin: number, length: number): void {
    const start = index * this.#pieceLengthBytes + begin;
    if (this.#block.compare(this.#content.bytes, start, start + length, 0, length) !== 0) throw new Error(`wrong bytes at ${start}`);
    this.#open--;
    this.#left -= length;
    if (begin + length === this.#pieceLengthBytes) this.#socket.write(encodeIndex(MESSAGE.have, index));
    if (!this.done) return this.#ask();
    if (!this.#staysInterested) this.#socket.write(encodeFlag(MESSAGE.notInterested));
    this.emit("done");
  }

  #ask(): void {
    const ranges: BlockRange[] = [];
    while (!this.#choked && this.#open < AHEAD) {
      const range = this.#wanted.pop();
      if (range === undefined) break;
      this.#open++;
      ranges.push(range);
    }
    if (ranges.length > 0) this.#socket.write(encodeRanges(MESSAGE.request, ranges));
  }

  get #pieceCount(): number {
    return Math.ceil(this.#content.bytes.length / this.#pieceLengthBytes);
  }

  #onPiece(index: number): void {
    if (!this.#interested) this.#socket.write(encodeFlag(MESSAGE.interested));
    this.#interested = true;
    const end = Math.min((index + 1) * this.#pieceLengthBytes, this.#content.bytes.length);
    for (let at = index * this.#pieceLengthBytes; at < end; at += BLOCK_BYTES) {
      this.#wanted.push({ index, begin: at % this.#pieceLengthBytes, length: Math.min(BLOCK_BYTES, end - at) });
    }
  }

  #onClose(): void {
    if (!this.done) this.emit("error", new Error("the seed ended the connection before everything was there"));
  }
}
