/**
 * How a file is cut into pieces and blocks: pure arithmetic on lengths, nothing else.
 * Invariant: the piece lengths of all indices, with padding, sum to `lengthBytes`; an empty file has no piece.
 */

/** The unit of hashing (BEP 52 leaf) and of requests with standard clients. */
export const BLOCK_BYTES = 16384;
export const MIN_PIECE_BYTES = 256 * 1024;
/** The shortest that may be asked for: over slow links shorter pieces are passed on sooner. */
export const LEAST_WISHED_PIECE_BYTES = 64 * 1024;
export const MAX_PIECE_BYTES = 16 * 1024 * 1024;
/** More pieces than this are refused: metadata and bitfields stay bounded (8 TB at 16 MiB a piece). */
export const MAX_PIECE_COUNT = 500_000;

const PREFERRED_PIECE_COUNT = 250;

export interface Geometry {
  readonly lengthBytes: number;
  readonly pieceLengthBytes: number;
  readonly pieceCount: number;
  /** Bytes of content in pieces that end in padding (torrents of several files); what follows in them is zeros. */
  readonly padded?: ReadonlyMap<number, number>;
}

/** The geometry of a file; `pieceLengthBytes` must be positive. */
export function geometryOf(file: { lengthBytes: number; pieceLengthBytes: number }): Geometry {
  const pieceCount = Math.ceil(file.lengthBytes / file.pieceLengthBytes);
  return { lengthBytes: file.lengthBytes, pieceLengthBytes: file.pieceLengthBytes, pieceCount };
}

/** Bytes of content in the piece: the piece length, or the rest for the last one, without the padding behind it. */
export function pieceLengthAt(geometry: Geometry, index: number): number {
  return geometry.padded?.get(index) ?? paddedLengthAt(geometry, index);
}

/** Bytes of the piece with the padding behind its content. */
export function paddedLengthAt(geometry: Geometry, index: number): number {
  if (index < geometry.pieceCount - 1) return geometry.pieceLengthBytes;
  return geometry.lengthBytes - index * geometry.pieceLengthBytes;
}

/** Bytes of content in all pieces: their length without what the last bytes of pieces are padded with. */
export function unpaddedBytes(geometry: Geometry): number {
  let bytes = geometry.lengthBytes;
  for (const [index, contentBytes] of geometry.padded ?? []) bytes -= paddedLengthAt(geometry, index) - contentBytes;
  return bytes;
}

/** Byte offset of the piece in the file. */
export function pieceOffset(geometry: Geometry, index: number): number {
  return index * geometry.pieceLengthBytes;
}

/**
 * The power of two, 256 KiB to 16 MiB, that cuts the file into about 250–500 pieces:
 * a peer can pass a piece on only once it is whole, so smaller pieces mean less delay per hop.
 */
export function choosePieceLength(lengthBytes: number): number {
  let pieceLengthBytes = MIN_PIECE_BYTES;
  while (pieceLengthBytes < MAX_PIECE_BYTES && lengthBytes / pieceLengthBytes > 2 * PREFERRED_PIECE_COUNT) {
    pieceLengthBytes *= 2;
  }
  return pieceLengthBytes;
}
