/**
 * BEP 52 Merkle trees: SHA-256 over 16 KiB leaves; leaves past the end of the file are 32 zero bytes. Decides.
 */
import { hash } from "node:crypto";
import { BLOCK_BYTES, type Geometry } from "./geometry.ts";

const HASH_BYTES = 32;

/**
 * Leaves under one piece root: those of a whole piece; a file of one piece pads to the next power of two of its own
 * blocks only (BEP 52: such a file has no piece layer, its pieces root is that of its blocks).
 */
export function leavesPerPiece(geometry: Geometry): number {
  if (geometry.pieceCount > 1) return geometry.pieceLengthBytes / BLOCK_BYTES;
  return nextPowerOfTwo(Math.max(1, Math.ceil(geometry.lengthBytes / BLOCK_BYTES)));
}

/** Merkle root of one piece. Hot path: runs in the hash worker over shared memory. */
export function pieceRoot(piece: Uint8Array, leafCount: number): Buffer {
  const layer = Buffer.alloc(leafCount * HASH_BYTES);
  let at = 0;
  for (let begin = 0; begin < piece.length; begin += BLOCK_BYTES) {
    const leaf = hash("sha256", piece.subarray(begin, Math.min(begin + BLOCK_BYTES, piece.length)), "buffer");
    leaf.copy(layer, at);
    at += HASH_BYTES;
  }
  return foldLayer(layer, leafCount);
}

/** The file's `pieces root` from its piece roots (32 bytes each). Needs at least one piece. */
export function piecesRoot(layer: Buffer, geometry: Geometry): Buffer {
  if (geometry.pieceCount === 1) return Buffer.from(layer.subarray(0, HASH_BYTES));
  const width = nextPowerOfTwo(geometry.pieceCount);
  const padded = Buffer.alloc(width * HASH_BYTES);
  layer.copy(padded, 0, 0, geometry.pieceCount * HASH_BYTES);
  const padding = foldLayer(Buffer.alloc(leavesPerPiece(geometry) * HASH_BYTES), leavesPerPiece(geometry));
  for (let index = geometry.pieceCount; index < width; index++) padding.copy(padded, index * HASH_BYTES);
  return foldLayer(padded, width);
}

/** Folds a layer of `width` (a power of two) hashes up to its root, in place. */
function foldLayer(layer: Buffer, width: number): Buffer {
  for (let left = width; left > 1; left /= 2) {
    for (let pair = 0; pair < left / 2; pair++) {
      const both = layer.subarray(pair * 2 * HASH_BYTES, (pair + 1) * 2 * HASH_BYTES);
      hash("sha256", both, "buffer").copy(layer, pair * HASH_BYTES);
    }
  }
  return Buffer.from(layer.subarray(0, HASH_BYTES));
}

function nextPowerOfTwo(count: number): number {
  let power = 1;
  while (power < count) power *= 2;
  return power;
}
