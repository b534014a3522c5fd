/**
 * A peer that does nothing but take: it asks one seed for every block of a torrent, a few pieces ahead, and counts what comes.
 */
import { randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { readFile } from "node:fs/promises";
import net from "node:net";
import { encodeHandshake, HANDSHAKE_BYTES } from "../../peer/engine/wire/handshake.ts";
import { encodeFlag, encodeRanges, MESSAGE } from "../../peer/engine/wire/messages.ts";
import { type WireHandler, WireParser } from "../../peer/engine/wire/wire-parser.ts";
import { parseHostPort } from "../../system/addresses.ts";
import { decodeDict, dictDict, encode } from "../../torrents/bencode.ts";
import { infoHashV1, parseInfoV1 } from "../../torrents/final-torrents.ts";
import { BLOCK_BYTES } from "../../torrents/geometry.ts";
import { makePeerId } from "../../torrents/peer-id.ts";
import type { Content } from "./contender.ts";

const AHEAD = 32;
const MESSAGE_BYTES = 1 << 20;

export class WirePeer extends EventEmitter<{ done: [] }> implements WireHandler {
  #left: number;
  #next = 0;
  readonly #socket: net.Socket;
  readonly #pieceLengthBytes: number;
  readonly #lengthBytes: number;

  private constructor(socket: net.Socket, geometry: { lengthBytes: number; pieceLengthBytes: number }) {
    super();
    this.#socket = socket;
    this.#lengthBytes = this.#left = geometry.lengthBytes;
    this.#pieceLengthBytes = geometry.pieceLengthBytes;
  }

  /** Dials, shakes hands and begins. */
  static async connect(address: string, content: Content): Promise<WirePeer> {
    const info = dictDict(decodeDict(await readFile(content.torrentPath)), "info");
    if (info === undefined) throw new Error(`${content.torrentPath} has no info`);
    const infoV1 = encode(info);
    const socket = net.connect(parseHostPort(address));
    await once(socket, "connect");
    const peer = new WirePeer(socket, parseInfoV1(infoV1).geometry);
    const parser = new WireParser(peer, { blockBytes: BLOCK_BYTES, messageBytes: MESSAGE_BYTES });
    let handshakeLeft = HANDSHAKE_BYTES;
    socket.on("data", (bytes) => {
      const skipped = Math.min(handshakeLeft, bytes.length);
      handshakeLeft -= skipped;
      if (skipped < bytes.length) parser.feed(bytes.subarray(skipped), bytes.length - skipped);
    });
    // a client that the choker treats like our own daemons
    socket.write(encodeHandshake({ infoHash: infoHashV1(infoV1), peerId: makePeerId("peer", randomBytes(20)) }));
    socket.write(encodeFlag(MESSAGE.haveNone));
    socket.write(encodeFlag(MESSAGE.interested));
    return peer;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  close(): void {
    this.#socket.destroy();
  }

  onMessage(id: number): void {
    if (id === MESSAGE.unchoke && this.#next === 0) this.#ask(AHEAD);
  }

  onBlockBegin(): undefined {
    return undefined;
  }

  onBlockBytes(count: number): void {
    this.#left -= count;
    if (this.#left === 0) this.emit("done");
  }

  onBlockEnd(): void {
    this.#ask(1);
  }

  #ask(count: number): void {
    const ranges = [];
    for (; count > 0 && this.#next < this.#lengthBytes; count--) {
      const index = Math.floor(this.#next / this.#pieceLengthBytes);
      ranges.push({ index, begin: this.#next % this.#pieceLengthBytes, length: Math.min(BLOCK_BYTES, this.#lengthBytes - this.#next) });
      this.#next += BLOCK_BYTES;
    }
    if (ranges.length > 0) this.#socket.write(encodeRanges(MESSAGE.request, ranges));
  }
}
