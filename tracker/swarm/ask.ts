/**
 * One announce on its way to the swarm store, as bytes. Decides.
 *
 * Hot path: every front fills one Ask of its own again and again, so that an announce makes no objects and no hex strings
 * (measured: with them, 4,700 announces a second instead of tens of thousands). Nobody keeps an Ask beyond the call that it is given to.
 */
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import { readAddress } from "./address-bytes.ts";

/** Numbers of BEP 15, and the next one for `paused` (BEP 21). */
export const EVENT = { none: 0, completed: 1, started: 2, stopped: 3, paused: 4 } as const;

/** What is not known of a peer's spare upload or success. */
export const UNKNOWN_SHARE = 255;

export interface Ask {
  /** 20 bytes, one character each. */
  infoHash: string;
  readonly peerId: Buffer;
  /** The same bytes, for comparing. */
  readonly peerIdWords: Int32Array;
  /** 16 bytes; IPv4 as a mapped address. */
  readonly address: Uint8Array;
  /** The same bytes, for comparing. */
  readonly addressWords: Int32Array;
  v6: boolean;
  port: number;
  left: number;
  event: number;
  /** Negative: as many as we like. */
  numwant: number;
  /** Addresses that the answer has room for; 0: both kinds. */
  family: 0 | 4 | 6;
  /** Of site-table.ts; 0: not known. */
  site: number;
  /** Per cent of the upload that is unused, or UNKNOWN_SHARE. */
  spare: number;
}

export function emptyAsk(): Ask {
  const address = new Uint8Array(16);
  const peerIdWords = new Int32Array(5);
  return {
    infoHash: "",
    peerId: Buffer.from(peerIdWords.buffer),
    peerIdWords,
    address,
    addressWords: new Int32Array(address.buffer),
    v6: false,
    port: 0,
    left: 0,
    event: EVENT.none,
    numwant: -1,
    family: 0,
    site: 0,
    spare: UNKNOWN_SHARE,
  };
}

export interface AskFields {
  readonly infoHash: InfoHash;
  readonly peerId: PeerId;
  readonly ip: string;
  readonly port: number;
  readonly left?: number;
  readonly event?: number;
  readonly numwant?: number;
  readonly site?: number;
}

/** An Ask from ids in hex, for callers off the hot path. Undefined where `ip` is no address. */
export function makeAsk(fields: AskFields): Ask | undefined {
  const ask = emptyAsk();
  if (!setAddress(ask, fields.ip)) return undefined;
  ask.infoHash = hashKey(fields.infoHash);
  ask.peerId.write(fields.peerId, "hex");
  ask.port = fields.port;
  ask.left = fields.left ?? Number.POSITIVE_INFINITY;
  ask.event = fields.event ?? EVENT.none;
  ask.numwant = fields.numwant ?? -1;
  ask.site = fields.site ?? 0;
  return ask;
}

/** Puts the address in, mapped IPv4 as IPv4. False where the text is none. */
export function setAddress(ask: Ask, ip: string): boolean {
  const kind = readAddress(ip, ask.address);
  ask.v6 = kind === 6;
  return kind !== 0;
}

/** The key of an info hash in hex. */
export function hashKey(infoHash: InfoHash): string {
  return Buffer.from(infoHash, "hex").toString("latin1");
}

const [DASH, S, K] = [0x2d, 0x53, 0x4b];

/** As isOurs() in torrents/peer-id.ts, on bytes: -SK or -SS. */
export function isOursId(peerId: Uint8Array): boolean {
  return peerId[0] === DASH && peerId[1] === S && (peerId[2] === K || peerId[2] === S);
}
