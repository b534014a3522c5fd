/**
 * Piece layers of a v2 torrent (BEP 52): which file's hashes are known, and which are still to be asked of peers. Decides.
 *
 * The seam between who keeps the hashes (PieceTruth) and who moves them (hash-exchange.ts). A file of one piece has no layer: its
 * pieces root is its piece's. Invariant: what enters was proven against the file's root, here or by the caller.
 */
import { type Geometry, geometryOf } from "../../torrents/geometry.ts";
import { piecesRoot } from "../../torrents/merkle.ts";
import { piecesOf, type TorrentLayout } from "../../torrents/torrent-layout.ts";

const HASH_BYTES = 32;

/** A file with content; pieces are numbered within it, `firstPiece` says where they begin in the torrent. */
export interface LayerFile {
  readonly piecesRoot: Buffer;
  readonly firstPiece: number;
  /** Of the file alone. */
  readonly geometry: Geometry;
}

/** Where the hashes are kept. */
export interface LayerKeeper {
  hasRoot(index: number): boolean;
  rootOf(index: number): Buffer;
  /** Takes over proven roots of pieces in a row. */
  learn(first: number, hashes: Buffer): void;
}

/** Files of a v2 layout that have content. */
export function layerFiles(layout: TorrentLayout): LayerFile[] {
  const { pieceLengthBytes } = layout.geometry;
  return layout.files.flatMap((file) => {
    const span = piecesOf(file, pieceLengthBytes);
    if (span === undefined || file.piecesRoot === undefined) return [];
    const geometry = geometryOf({ lengthBytes: file.lengthBytes, pieceLengthBytes });
    return [{ piecesRoot: file.piecesRoot, firstPiece: span.first, geometry }];
  });
}

export class LayerStore {
  /** Files that have a layer: of more than one piece. */
  readonly files: readonly LayerFile[];
  readonly #keeper: LayerKeeper;
  /** Equal files share a root, and so one layer. */
  readonly #byRoot = new Map<string, LayerFile[]>();
  readonly #onLearnt: () => void;

  /** `onLearnt`: pieces can be checked now that could not before. */
  constructor(files: readonly LayerFile[], keeper: LayerKeeper, onLearnt: () => void = () => undefined) {
    this.files = files.filter(({ geometry }) => geometry.pieceCount > 1);
    this.#keeper = keeper;
    this.#onLearnt = onLearnt;
    for (const file of this.files) {
      const root = file.piecesRoot.toString("hex");
      const equals = this.#byRoot.get(root);
      if (equals === undefined) this.#byRoot.set(root, [file]);
      else equals.push(file);
    }
  }

  /** A file by its pieces root; equal files of a torrent share one, and any of them will do. */
  find(root: Buffer): LayerFile | undefined {
    return this.#byRoot.get(root.toString("hex"))?.[0];
  }

  /** The first piece of the file whose hash is not known, counted within the file; undefined: all are. */
  firstMissing(file: LayerFile): number | undefined {
    for (let index = 0; index < file.geometry.pieceCount; index++) if (!this.#keeper.hasRoot(file.firstPiece + index)) return index;
    return undefined;
  }

  /** Files whose layer is not whole. */
  get missing(): LayerFile[] {
    return this.files.filter((file) => this.firstMissing(file) !== undefined);
  }

  /** The file's whole layer, 32 bytes a piece; undefined: not all of it is known. */
  layerOf(file: LayerFile): Buffer | undefined {
    if (this.firstMissing(file) !== undefined) return undefined;
    const hashes = Array.from({ length: file.geometry.pieceCount }, (_, index) => this.#keeper.rootOf(file.firstPiece + index));
    return Buffer.concat(hashes);
  }

  /** Takes a whole layer; false where it does not lead to the file's root. */
  useLayer(file: LayerFile, layer: Buffer): boolean {
    // an equal file brought it
    const known = this.layerOf(file);
    if (known !== undefined) return known.equals(layer);
    if (layer.length !== file.geometry.pieceCount * HASH_BYTES || !piecesRoot(layer, file.geometry).equals(file.piecesRoot)) return false;
    this.addProven(file, 0, layer);
    return true;
  }

  /** Takes hashes in a row from `first` (within the file) on, which the caller proved with uncle hashes against the root. */
  addProven(file: LayerFile, first: number, hashes: Buffer): void {
    const count = Math.min(hashes.length / HASH_BYTES, file.geometry.pieceCount - first);
    for (const twin of this.#byRoot.get(file.piecesRoot.toString("hex")) ?? []) {
      // a made-up torrent may give one root to files of different lengths
      if (twin.geometry.pieceCount !== file.geometry.pieceCount) continue;
      this.#keeper.learn(twin.firstPiece + first, hashes.subarray(0, count * HASH_BYTES));
    }
    this.#onLearnt();
  }
}
