/**
 * What each piece must hash to, as far as it is known. Decides.
 *
 * Three sources: signed record groups of a live torrent, the piece layer of a v2 torrent, the SHA-1 list of a v1 torrent.
 * Invariant: a root, once known, never changes; contradicting groups are refused.
 */
import { type Geometry, paddedLengthAt, pieceLengthAt } from "../../torrents/geometry.ts";
import { leavesPerPiece } from "../../torrents/merkle.ts";
import type { PieceRecord, RecordGroup } from "../../torrents/piece-records.ts";
import { Bitfield } from "./bitfield.ts";
import { type LayerFile, LayerStore } from "./layer-store.ts";

const ROOT_BYTES = 32;
const SHA1_BYTES = 20;

/** Expected hash of one piece. */
export interface Expectation {
  readonly root?: Buffer;
  readonly sha1?: Buffer;
}

export class PieceTruth {
  readonly geometry: Geometry;
  /** Piece layers of a v2 torrent's files; without files where it is not v2. */
  layers: LayerStore = new LayerStore([], this);
  /** Told when pieces can be checked that could not before; set by the torrent. */
  onLearnt: () => void = () => undefined;
  #files: readonly LayerFile[] = [];
  readonly #leafCount: number;
  /** Leaves of pieces that are a whole file, where files are several. */
  readonly #leafCounts = new Map<number, number>();
  readonly #known: Bitfield;
  readonly #roots: Buffer;
  #sha1s: Buffer | undefined;
  readonly #groups: RecordGroup[] = [];
  readonly #groupOf = new Map<number, RecordGroup>();

  /** `files`: those of a v2 torrent that have content. */
  constructor(geometry: Geometry, files: readonly LayerFile[] = []) {
    this.geometry = geometry;
    this.#leafCount = leavesPerPiece(geometry);
    this.#known = new Bitfield(geometry.pieceCount);
    this.#roots = Buffer.alloc(geometry.pieceCount * ROOT_BYTES);
    this.useFiles(files);
  }

  /** The files of a v2 torrent, whose roots are known: at once, or when a live torrent became final. */
  useFiles(files: readonly LayerFile[]): void {
    this.#files = files;
    this.layers = new LayerStore(files, this, () => this.onLearnt());
    for (const file of files) {
      if (file.geometry.pieceCount > 1) continue;
      this.learn(file.firstPiece, file.piecesRoot);
      // by the file alone: the torrent of a folder with one file may be padded behind it
      this.#leafCounts.set(file.firstPiece, leavesPerPiece(file.geometry));
    }
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

  /** Leaves of the piece's Merkle tree. */
  leafCountAt(index: number): number {
    return this.#leafCounts.get(index) ?? this.#leafCount;
  }

  hasRoot(index: number): boolean {
    return this.#known.has(index);
  }

  /** Takes over roots of pieces in a row that were proven; what is known stays. */
  learn(first: number, hashes: Buffer): void {
    for (let at = 0; at * ROOT_BYTES < hashes.length; at++) {
      if (this.#known.has(first + at)) continue;
      this.#known.add(first + at);
      hashes.copy(this.#roots, (first + at) * ROOT_BYTES, at * ROOT_BYTES, (at + 1) * ROOT_BYTES);
    }
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

  /** Takes over the piece layers of all files, in the order of the pieces; false where one does not lead to its file's root. */
  useLayer(layer: Buffer): boolean {
    if (layer.length !== this.#roots.length) return false;
    return this.#files.every((file) => {
      const { pieceCount } = file.geometry;
      const own = layer.subarray(file.firstPiece * ROOT_BYTES, (file.firstPiece + pieceCount) * ROOT_BYTES);
      return pieceCount === 1 ? own.equals(file.piecesRoot) : this.layers.useLayer(file, own);
    });
  }

  useSha1s(sha1s: Buffer): void {
    this.#sha1s = sha1s;
  }

  /** Bytes of content in the piece: what is asked for, stored and hashed into its root. */
  lengthAt(index: number): number {
    return pieceLengthAt(this.geometry, index);
  }

  /** With the padding behind the content: what peers may ask for, and what a SHA-1 is over. */
  paddedLengthAt(index: number): number {
    return paddedLengthAt(this.geometry, index);
  }
}
