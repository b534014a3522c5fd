/**
 * The journal's bytes. Decides: encoding and reading of entries, no files.
 *
 * Entry: type (1 byte), payload length (u16), payload, CRC-32 over all of these (u32). A tail that was cut by a crash fails
 * its length or checksum, and reading stops there: what follows was never trusted, so its pieces are fetched again.
 */
import { crc32 } from "node:zlib";

/** A piece is whole and verified on disk. Payload: index u32, then SHA-1 (20 bytes) at a signer. */
export const ENTRY_PIECE = 1;
/** A signed record group, encoded as on the wire. */
export const ENTRY_GROUP = 2;
/** A piece is whole on disk, but no record vouched for it yet. Payload: index u32, root 32 bytes. */
export const ENTRY_UNVERIFIED = 3;
/** A piece was found bad later. Payload: index u32. */
export const ENTRY_DROPPED = 4;

export interface JournalEntry {
  readonly type: number;
  readonly payload: Buffer;
}

const HEAD_BYTES = 3;
const CHECK_BYTES = 4;

export function encodeEntry(entry: JournalEntry): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + entry.payload.length + CHECK_BYTES);
  bytes[0] = entry.type;
  bytes.writeUInt16BE(entry.payload.length, 1);
  entry.payload.copy(bytes, HEAD_BYTES);
  const bodyBytes = HEAD_BYTES + entry.payload.length;
  bytes.writeUInt32BE(crc32(bytes.subarray(0, bodyBytes)), bodyBytes);
  return bytes;
}

/** All whole entries, and how many bytes they take: the journal is cut to that length before it grows again. */
export function readEntries(bytes: Buffer): { entries: JournalEntry[]; goodBytes: number } {
  const entries: JournalEntry[] = [];
  let at = 0;
  while (at + HEAD_BYTES + CHECK_BYTES <= bytes.length) {
    const bodyBytes = HEAD_BYTES + bytes.readUInt16BE(at + 1);
    if (at + bodyBytes + CHECK_BYTES > bytes.length) break;
    if (crc32(bytes.subarray(at, at + bodyBytes)) !== bytes.readUInt32BE(at + bodyBytes)) break;
    entries.push({ type: bytes[at], payload: bytes.subarray(at + HEAD_BYTES, at + bodyBytes) });
    at += bodyBytes + CHECK_BYTES;
  }
  return { entries, goodBytes: at };
}
