/**
 * BEP 9 on the taking side: an info dict from peers, for who has only its hash (a magnet link). Drives one connection at a
 * time; what arrives counts only when its hash is the one asked for.
 */
import { hash } from "node:crypto";
import { SkimmerError } from "../../system/errors.ts";
import { decodePrefix, dictInt, encode } from "../../torrents/bencode.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { encodeExtendedHandshake, OUR_EXTENSION, parseExtendedHandshake } from "./wire/extended-handshake.ts";
import { encodeExtended, MESSAGE } from "./wire/messages.ts";

const PIECE_BYTES = 16384;
const PEER_LIMIT_MS = 15_000;
const MESSAGE_BYTES = 64 * 1024;
const DATA = 1;

export interface InfoSource {
  readonly infoHash: InfoHash;
  readonly peerId: PeerId;
  readonly peers: readonly { readonly host: string; readonly port: number }[];
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

/** Asks the peers, one after the other. Rejects with SkimmerError `no_progress` where none has it. */
export async function fetchInfo(source: InfoSource): Promise<Buffer> {
  for (const peer of source.peers) {
    source.signal.throwIfAborted();
    const info = await askPeer(source, peer).catch(() => undefined);
    if (info !== undefined) return info;
  }
  throw new SkimmerError("no_progress", `no peer gave the metadata of ${source.infoHash}`, {
    retriable: true,
    hint: "Try again when more peers are there.",
  });
}

function askPeer(source: InfoSource, peer: { host: string; port: number }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const exchange = new InfoExchange(source, resolve);
    const connection = Connection.dial({
      owner: {
        onHandshake: () => exchange.begin(connection),
        onClose: (_, reason) => exchange.end(() => reject(new Error(reason))),
        onDrain: () => undefined,
        onFault: (_, error) => reject(error as Error),
      } satisfies ConnectionOwner,
      nowMs: source.nowMs,
      ...peer,
      onConnect: (made) => made.sendHandshake({ infoHash: source.infoHash, peerId: source.peerId }),
    });
    exchange.limit(connection);
  });
}

/** The pieces of one info dict from one peer. */
class InfoExchange {
  readonly #source: InfoSource;
  readonly #resolve: (info: Buffer) => void;
  readonly #pieces: Buffer[] = [];
  #lengthBytes = 0;
  #theirId = 0;
  #connection: Connection | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #onAbort = (): void => this.#connection?.close("cancelled");

  constructor(source: InfoSource, resolve: (info: Buffer) => void) {
    this.#source = source;
    this.#resolve = resolve;
  }

  limit(connection: Connection): void {
    this.#connection = connection;
    this.#timer = setTimeout(() => connection.close("no metadata in time"), PEER_LIMIT_MS);
    this.#source.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  begin(connection: Connection) {
    const hello = { metadataBytes: 0, port: 0, live: false, blockBytes: PIECE_BYTES, requestQueue: 1, version: "Skimmer" };
    connection.send(encodeExtended(0, encodeExtendedHandshake(hello)));
    const ignore = (): undefined => undefined;
    const onMessage = (id: number, payload: Buffer): void => {
      if (id === MESSAGE.extended && payload.length > 0) this.#onExtended(payload[0], payload.subarray(1));
    };
    return {
      handler: { onMessage, onBlockBegin: ignore, onBlockBytes: ignore, onBlockEnd: ignore },
      limits: { blockBytes: PIECE_BYTES, messageBytes: MESSAGE_BYTES },
    };
  }

  end(fail: () => void): void {
    clearTimeout(this.#timer);
    this.#source.signal.removeEventListener("abort", this.#onAbort);
    fail();
  }

  #onExtended(extensionId: number, payload: Buffer): void {
    if (extensionId === 0) {
      const theirs = parseExtendedHandshake(payload);
      this.#theirId = theirs.metadata;
      this.#lengthBytes = theirs.metadataBytes;
      if (this.#theirId === 0 || this.#lengthBytes === 0) throw new SkimmerError("protocol", "peer has no metadata");
      this.#ask();
    } else if (extensionId === OUR_EXTENSION.metadata) this.#onPiece(payload);
  }

  #ask(): void {
    this.#connection?.send(encodeExtended(this.#theirId, encode({ msg_type: 0, piece: this.#pieces.length })));
  }

  #onPiece(payload: Buffer): void {
    const { value, lengthBytes } = decodePrefix(payload);
    const data = payload.subarray(lengthBytes);
    const expected = Math.min(PIECE_BYTES, this.#lengthBytes - this.#pieces.length * PIECE_BYTES);
    const good =
      value instanceof Map &&
      dictInt(value, "msg_type") === DATA &&
      dictInt(value, "piece") === this.#pieces.length &&
      data.length === expected;
    if (!good) throw new SkimmerError("protocol", "peer did not give the metadata piece that was asked for");
    this.#pieces.push(Buffer.from(data));
    if (this.#pieces.length * PIECE_BYTES < this.#lengthBytes) return this.#ask();
    const info = Buffer.concat(this.#pieces);
    const hashes = [hash("sha1", info, "hex"), hash("sha256", info, "hex").slice(0, 40)];
    if (!hashes.includes(this.#source.infoHash)) throw new SkimmerError("protocol", "peer gave metadata with another hash");
    this.#resolve(info);
    this.#connection?.close("metadata is here");
  }
}
