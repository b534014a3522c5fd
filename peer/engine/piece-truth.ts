/**
 * What each piece must hash to, as far as it is known. Decides.
 *
 * Three sources: signed record groups of a live torrent, the piece layer of a v2 torrent, the SHA-1 list of a v1 torrent.
 * Invariant: a root, once known, never changes; contradicting groups are refused.
 */
import { type Geometry, pieceLengthAt } from "../../torrents/geometry.ts";
import { leavesPerPiece, piecesRoot } from "../../torrents/merkle.ts";
import type { PieceRecord, RecordGroup } from "../../torrents/piece-records.ts";
import { Bitfield } from "./bitfield.ts";

const ROOT_BYTES = 32;
const SHA1_BYTES = 20;

/** Expected hash of one piece. */
export interface Expectation {
  readonly root?: Buffer;
  readonly sha1?: Buffer;
}

export class PieceTruth {
  readonly geometry: Geometry;
  readonly leafCount: number;
  readonly #known: Bitfield;
  readonly #roots: Buffer;
  #sha1s: Buffer | undefined;
  readonly #groups: RecordGroup[] = [];
  readonly #groupOf = new Map<number, RecordGroup>();

  constructor(geometry: Geometry) {
    this.geometry = geometry;
    this.leafCount = leavesPerPiece(geometry);
    this.#known = new Bitfield(geometry.pieceCount);
    this.#roots = Buffer.alloc(geometry.pieceCount * ROOT_BYTES);
  }

  get groups(): readonly RecordGroup[] {
    return this.#groups;
  }

  get allRootsKnown(): boolean {
    return this.#known.isFull;
  }

  /** All roots, 32 bytes each; only meaningful when allRootsKnown. */
  get layer(): Buffer {
    return this.#roots;
  }

  groupOf(index: number): RecordGroup | undefined {
    return this.#groupOf.get(index);
  }

  /** How the piece is checked; undefined: nobody told yet. */
  expectation(index: number): Expectation | undefined {
    if (this.#known.has(index)) return { root: this.rootOf(index) };
    if (this.#sha1s !== undefined) return { sha1: this.#sha1s.subarray(index * SHA1_BYTES, (index + 1) * SHA1_BYTES) };
    return undefined;
  }

  rootOf(index: number): Buffer {
    return this.#roots.subarray(index * ROOT_BYTES, (index + 1) * ROOT_BYTES);
  }

  /** Pieces that can be checked; undefined: all of them. */
  get checkable(): Bitfield | undefined {
    return this.#sha1s === undefined ? this.#known : undefined;
  }

  /** Whether the group tells anything new; a group with an impossible or contradicting record is `bad`. */
  judge(group: RecordGroup): "new" | "known" | "bad" {
    let fresh = false;
    for (const { index, root } of group.records) {
      if (index >= this.geometry.pieceCount) return "bad";
      if (!this.#known.has(index)) fresh = true;
      else if (!this.rootOf(index).equals(root)) return "bad";
    }
    return fresh ? "new" : "known";
  }

  /** Takes over a group whose signature was checked; answers the records that are new. */
  addGroup(group: RecordGroup): PieceRecord[] {
    this.#groups.push(group);
    const fresh = group.records.filter(({ index }) => !this.#known.has(index));
    for (const { index, root } of fresh) {
      this.#known.add(index);
      root.copy(this.#roots, index * ROOT_BYTES);
      this.#groupOf.set(index, group);
    }
    return fresh;
  }

  /** Takes over a piece layer; false where it does not lead to the given pieces root. */
  useLayer(layer: Buffer, expectedRoot: Buffer): boolean {
    if (layer.length !== this.#roots.length || !piecesRoot(layer, this.geometry).equals(expectedRoot)) return false;
    layer.copy(this.#roots);
    this.#known.addAll();
    return true;
  }

  useSha1s(sha1s: Buffer): void {
    this.#sha1s = sha1s;
  }

  lengthAt(index: number): number {
    return pieceLengthAt(this.geometry, index);
  }
}
