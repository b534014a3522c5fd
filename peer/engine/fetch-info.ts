/**
 * BEP 9 on the taking side: an info dict from peers, for who has only its hash (a magnet link). Drives a few connections at a
 * time; what arrives counts only when its hash is the one asked for.
 */
import { hash } from "node:crypto";
import { SkimmerError } from "../../system/errors.ts";
import { decodePrefix, dictInt, encode } from "../../torrents/bencode.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { isMet, type MetPeer, type ReachablePeer } from "./met-peer.ts";
import { dialOrder } from "./mse/encryption-policy.ts";
import type { MseDesk } from "./mse/mse-desk.ts";
import { encodeExtendedHandshake, OUR_EXTENSION, parseExtendedHandshake } from "./wire/extended-handshake.ts";
import { encodeExtended, MESSAGE } from "./wire/messages.ts";

const PIECE_BYTES = 16384;
/** One peer may take so long for each of its pieces, and for its handshakes. */
const STEP_LIMIT_MS = 10_000;
/** A peer that gives nothing must not hold up the others. */
const PEERS_AT_ONCE = 5;
/** A bitfield of the most pieces fits; blocks and everything else are not for us. */
const MESSAGE_BYTES = 1024 * 1024;
/** A peer that sends so many messages in place of metadata is none. */
const MOST_MESSAGES = 20_000;
const DATA = 1;

export interface InfoSource {
  readonly infoHash: InfoHash;
  readonly peerId: PeerId;
  readonly peers: readonly ReachablePeer[];
  readonly nowMs: () => number;
  readonly encryption: MseDesk;
  readonly signal: AbortSignal;
}

/** Asks the peers, a few at a time. Rejects with SkimmerError `no_progress` where none has it. */
export async function fetchInfo(source: InfoSource): Promise<Buffer> {
  const found = new AbortController();
  const signal = AbortSignal.any([source.signal, found.signal]);
  const waiting = [...source.peers];
  let info: Buffer | undefined;
  const askInTurn = async (): Promise<void> => {
    for (let peer = waiting.shift(); peer !== undefined && !signal.aborted; peer = waiting.shift()) {
      info ??= await askPeer({ ...source, signal }, peer);
      if (info !== undefined) found.abort();
    }
  };
  await Promise.all(Array.from({ length: PEERS_AT_ONCE }, askInTurn));
  if (info !== undefined) return info;
  source.signal.throwIfAborted();
  throw new SkimmerError("no_progress", `no peer gave the metadata of ${source.infoHash}`, {
    retriable: true,
    hint: "Try again when more peers are there.",
  });
}

/** The info dict, or undefined where this peer does not give it, plain or encrypted. */
async function askPeer(source: InfoSource, peer: ReachablePeer): Promise<Buffer | undefined> {
  if (isMet(peer)) return peer.stream.destroyed ? undefined : (await askOnce(source, overStream(peer))).info;
  for (const mode of dialOrder(source.encryption.policy, undefined)) {
    const encryption = mode === "encrypted" ? source.encryption : undefined;
    const answer = await askOnce(source, (options) => Connection.dial({ ...options, ...peer, encryption }));
    if (answer.kind !== "no handshake") return answer.info;
  }
  return undefined;
}

type Open = (options: Omit<Parameters<typeof Connection.dial>[0], "host" | "port" | "encryption">) => Connection;

function overStream(peer: MetPeer): Open {
  return ({ onConnect, ...options }) => {
    const connection = Connection.over(peer, options);
    onConnect(connection);
    return connection;
  };
}

type Answer =
  | { readonly kind: "no handshake" | "nobody"; readonly info?: undefined }
  | { readonly kind: "greeted"; readonly info?: Buffer };

function askOnce(source: InfoSource, open: Open): Promise<Answer> {
  return new Promise((resolve) => {
    const exchange = new InfoExchange(source);
    let connected = false;
    const connection = open({
      owner: {
        onHandshake: () => exchange.begin(connection),
        onClose: () => resolve(exchange.end(connected)),
        onDrain: () => undefined,
        onFault: () => undefined,
      } satisfies ConnectionOwner,
      nowMs: source.nowMs,
      onConnect: (made) => {
        connected = true;
        made.sendHandshake({ infoHash: source.infoHash, peerId: source.peerId });
      },
    });
    exchange.limit(connection);
  });
}

/** The pieces of one info dict from one peer. */
class InfoExchange {
  readonly #source: InfoSource;
  readonly #pieces: Buffer[] = [];
  #info: Buffer | undefined;
  #greeted = false;
  #lengthBytes = 0;
  #theirId = 0;
  #messages = 0;
  #connection: Connection | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #onAbort = (): void => this.#connection?.close("cancelled");

  constructor(source: InfoSource) {
    this.#source = source;
  }

  limit(connection: Connection): void {
    this.#connection = connection;
    this.#timer = setTimeout(() => connection.close("no metadata in time"), STEP_LIMIT_MS);
    this.#source.signal.addEventListener("abort", this.#onAbort, { once: true });
    if (this.#source.signal.aborted) this.#onAbort();
  }

  begin(connection: Connection) {
    this.#greeted = true;
    const hello = { metadataBytes: 0, port: 0, live: false, blockBytes: PIECE_BYTES, requestQueue: 1, version: "Skimmer" };
    connection.send(encodeExtended(0, encodeExtendedHandshake(hello)));
    const ignore = (): undefined => undefined;
    return {
      handler: { onMessage: this.#onMessage, onBlockBegin: ignore, onBlockBytes: ignore, onBlockEnd: ignore },
      limits: { blockBytes: PIECE_BYTES, messageBytes: MESSAGE_BYTES },
    };
  }

  /** The connection ended, however. */
  end(connected: boolean): Answer {
    clearTimeout(this.#timer);
    this.#source.signal.removeEventListener("abort", this.#onAbort);
    if (this.#greeted) return { kind: "greeted", info: this.#info };
    return { kind: connected ? "no handshake" : "nobody" };
  }

  readonly #onMessage = (id: number, payload: Buffer): void => {
    if (++this.#messages > MOST_MESSAGES) throw new SkimmerError("protocol", "peer sends anything but metadata");
    if (id === MESSAGE.extended && payload.length > 0) this.#onExtended(payload[0], payload.subarray(1));
  };

  #onExtended(extensionId: number, payload: Buffer): void {
    if (extensionId === 0) {
      if (this.#theirId !== 0) return;
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
    this.#timer?.refresh();
    this.#pieces.push(Buffer.from(data));
    if (this.#pieces.length * PIECE_BYTES < this.#lengthBytes) return this.#ask();
    const info = Buffer.concat(this.#pieces);
    const hashes = [hash("sha1", info, "hex"), hash("sha256", info, "hex").slice(0, 40)];
    if (!hashes.includes(this.#source.infoHash)) throw new SkimmerError("protocol", "peer gave metadata with another hash");
    this.#info = info;
    this.#connection?.close("metadata is here");
  }
}
