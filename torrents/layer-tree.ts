/**
 * The Merkle tree above a file's piece layer (BEP 52): hashes of any of its layers with the uncles that lead to the root, and the check
 * of such an answer. Decides.
 *
 * Layers are counted from the piece layer, 0, upwards. Places past the last piece hold the root of a piece of zero leaves.
 */
import { hash } from "node:crypto";
import type { Geometry } from "./geometry.ts";
import { leavesPerPiece } from "./merkle.ts";

export const HASH_BYTES = 32;

/** `length` hashes of a layer from `index` on, and proof layers above it. */
export interface LayerSpan {
  readonly layer: number;
  readonly index: number;
  readonly length: number;
  /** Layers above `layer` for which the uncle is given, where it does not follow from the hashes themselves. */
  readonly proofs: number;
}

/** Layers between the piece layer and the root, the root's included. */
export function treeHeight(geometry: Geometry): number {
  return Math.ceil(Math.log2(geometry.pieceCount));
}

/** Uncles that an answer to the span holds. */
export function uncleCount({ length, proofs }: LayerSpan): number {
  return Math.max(0, proofs - Math.max(0, Math.log2(length) - 1));
}

/** Whether the file's tree has such a span. */
export function isSpanOf(geometry: Geometry, { layer, index, length, proofs }: LayerSpan): boolean {
  const above = treeHeight(geometry) - layer;
  const isPower = length > 0 && (length & (length - 1)) === 0;
  return layer >= 0 && above >= 0 && isPower && index % length === 0 && index + length <= 2 ** above && proofs >= 0 && proofs <= above;
}

export class LayerTree {
  readonly #layers: Buffer[];

  /** `hashes`: the whole piece layer. */
  constructor(hashes: Buffer, geometry: Geometry) {
    const padded = Buffer.alloc(HASH_BYTES * 2 ** treeHeight(geometry));
    hashes.copy(padded);
    const padding = paddingHash(geometry);
    for (let at = geometry.pieceCount * HASH_BYTES; at < padded.length; at += HASH_BYTES) padding.copy(padded, at);
    this.#layers = [padded];
    for (let layer: Buffer = padded; layer.length > HASH_BYTES; ) {
      layer = foldOnce(layer);
      this.#layers.push(layer);
    }
  }

  get root(): Buffer {
    return this.#layers[this.#layers.length - 1];
  }

  /** The span's hashes, then its uncles from below. The caller asked isSpanOf(). */
  hashes(span: LayerSpan): Buffer {
    const { layer, index, length, proofs } = span;
    const parts = [this.#layers[layer].subarray(index * HASH_BYTES, (index + length) * HASH_BYTES)];
    for (let above = layer + Math.max(1, Math.log2(length)); above <= layer + proofs; above++) {
      const own = Math.floor(index / 2 ** (above - layer));
      const sibling = own ^ 1;
      if (this.#layers[above].length > HASH_BYTES)
        parts.push(this.#layers[above].subarray(sibling * HASH_BYTES, (sibling + 1) * HASH_BYTES));
    }
    return Buffer.concat(parts);
  }
}

/** Whether hashes and uncles of a piece layer's span lead to the file's root. */
export function provesRoot(answer: Buffer, span: LayerSpan, file: { piecesRoot: Buffer; geometry: Geometry }): boolean {
  const { length, index } = span;
  let own = answer.subarray(0, length * HASH_BYTES);
  while (own.length > HASH_BYTES) own = foldOnce(own);
  let place = index / length;
  for (let at = length * HASH_BYTES; at < answer.length; at += HASH_BYTES) {
    const uncle = answer.subarray(at, at + HASH_BYTES);
    own = hash("sha256", Buffer.concat(place % 2 === 0 ? [own, uncle] : [uncle, own]), "buffer");
    place = Math.floor(place / 2);
  }
  const reached = Math.log2(length) + answer.length / HASH_BYTES - length;
  return span.layer === 0 && reached === treeHeight(file.geometry) && own.equals(file.piecesRoot);
}

function foldOnce(layer: Buffer): Buffer {
  const folded = Buffer.alloc(layer.length / 2);
  for (let at = 0; at < folded.length; at += HASH_BYTES) {
    hash("sha256", layer.subarray(at * 2, at * 2 + 2 * HASH_BYTES), "buffer").copy(folded, at);
  }
  return folded;
}

/** Root of a piece that does not exist. */
function paddingHash(geometry: Geometry): Buffer {
  let own: Buffer = Buffer.alloc(HASH_BYTES);
  for (let width = leavesPerPiece(geometry); width > 1; width /= 2) own = hash("sha256", Buffer.concat([own, own]), "buffer");
  return own;
}
