/**
 * The 68-byte BitTorrent handshake (BEP 3) with the reserved bits of BEP 6 (fast) and BEP 10 (extended).
 */
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { infoHashOf } from "../../../torrents/ids.ts";

export const HANDSHAKE_BYTES = 68;
const PROTOCOL = Buffer.from("\x13BitTorrent protocol", "latin1");
/** So many bytes tell a plain handshake from anything else. */
export const PROTOCOL_BYTES = PROTOCOL.length;
const RESERVED_AT = 20;
const EXTENDED_BYTE = 5;
const EXTENDED_BIT = 0x10;
const FAST_BYTE = 7;
const FAST_BIT = 0x04;

export interface Handshake {
  readonly infoHash: InfoHash;
  readonly peerId: PeerId;
  readonly fast: boolean;
  readonly extended: boolean;
}

/** Our handshake: fast and extended bits set. */
export function encodeHandshake(us: { infoHash: InfoHash; peerId: PeerId }): Buffer {
  const bytes = Buffer.alloc(HANDSHAKE_BYTES);
  PROTOCOL.copy(bytes);
  bytes[RESERVED_AT + EXTENDED_BYTE] = EXTENDED_BIT;
  bytes[RESERVED_AT + FAST_BYTE] = FAST_BIT;
  bytes.write(us.infoHash, 28, "hex");
  bytes.write(us.peerId, 48, "hex");
  return bytes;
}

/** Whether a connection that begins with these bytes (PROTOCOL_BYTES or more) is unencrypted BitTorrent. */
export function isPlainStart(bytes: Buffer): boolean {
  return bytes.subarray(0, PROTOCOL_BYTES).equals(PROTOCOL);
}

/** Reads the first 68 bytes of a connection; undefined where they are no BitTorrent handshake. */
export function parseHandshake(bytes: Buffer): Handshake | undefined {
  if (bytes.length < HANDSHAKE_BYTES || !isPlainStart(bytes)) return undefined;
  return {
    infoHash: infoHashOf(bytes.subarray(28, 48)),
    peerId: bytes.toString("hex", 48, 68) as PeerId,
    fast: (bytes[RESERVED_AT + FAST_BYTE] & FAST_BIT) !== 0,
    extended: (bytes[RESERVED_AT + EXTENDED_BYTE] & EXTENDED_BIT) !== 0,
  };
}
