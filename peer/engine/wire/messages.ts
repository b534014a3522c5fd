/**
 * Wire messages as bytes (BEP 3, BEP 6, BEP 10): encoding only; wire-parser.ts reads them. Those of BEP 52 are in hash-messages.ts.
 * Every function gives a whole message with its length prefix.
 */

export const MESSAGE = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  port: 9,
  suggest: 13,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  allowedFast: 17,
  extended: 20,
  hashRequest: 21,
  hashes: 22,
  hashReject: 23,
} as const;

/** Bytes in front of a block: length prefix, id, index, begin. */
export const BLOCK_HEADER_BYTES = 13;
export const KEEP_ALIVE = Buffer.alloc(4);

/** A message without payload. */
export function encodeFlag(id: number): Buffer {
  return Buffer.from([0, 0, 0, 1, id]);
}

/** A message whose payload is one piece index: have, suggest, allowed fast. */
export function encodeIndex(id: number, index: number): Buffer {
  const bytes = Buffer.allocUnsafe(9);
  bytes.writeUInt32BE(5, 0);
  bytes[4] = id;
  bytes.writeUInt32BE(index, 5);
  return bytes;
}

export interface BlockRange {
  readonly index: number;
  readonly begin: number;
  readonly length: number;
}

const RANGE_MESSAGE_BYTES = 17;

/** request, cancel or reject for each range, one after the other in one buffer. */
export function encodeRanges(id: number, ranges: readonly BlockRange[]): Buffer {
  const bytes = Buffer.allocUnsafe(ranges.length * RANGE_MESSAGE_BYTES);
  let at = 0;
  for (const range of ranges) {
    bytes.writeUInt32BE(13, at);
    bytes[at + 4] = id;
    bytes.writeUInt32BE(range.index, at + 5);
    bytes.writeUInt32BE(range.begin, at + 9);
    bytes.writeUInt32BE(range.length, at + 13);
    at += RANGE_MESSAGE_BYTES;
  }
  return bytes;
}

/** The header of a piece message; the block follows as its own buffer, so that it is never copied. */
export function encodeBlockHeader(range: BlockRange): Buffer {
  const bytes = Buffer.allocUnsafe(BLOCK_HEADER_BYTES);
  bytes.writeUInt32BE(9 + range.length, 0);
  bytes[4] = MESSAGE.piece;
  bytes.writeUInt32BE(range.index, 5);
  bytes.writeUInt32BE(range.begin, 9);
  return bytes;
}

export function encodeBitfield(bits: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(5 + bits.length);
  bytes.writeUInt32BE(1 + bits.length, 0);
  bytes[4] = MESSAGE.bitfield;
  bits.copy(bytes, 5);
  return bytes;
}

/** An extension message (BEP 10); `extensionId` 0 is the extended handshake. */
export function encodeExtended(extensionId: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(6 + payload.length);
  bytes.writeUInt32BE(2 + payload.length, 0);
  bytes[4] = MESSAGE.extended;
  bytes[5] = extensionId;
  payload.copy(bytes, 6);
  return bytes;
}
