/**
 * How a torrent's files lie in its pieces: v1 puts them end to end, v2 begins each with a piece, padding files (BEP 47) do the same in v1.
 * What no file covers is padding: zeros, kept nowhere. Decides.
 *
 * Invariant: files are in the order of their offsets and do not overlap.
 */
import { type Geometry, geometryOf } from "./geometry.ts";

export interface LayoutFile {
  /** Safe parts of the path below the torrent's folder; of a torrent without a folder: its name alone. */
  readonly path: readonly string[];
  readonly lengthBytes: number;
  /** Where it begins among the pieces' bytes. */
  readonly offset: number;
  readonly executable: boolean;
  /** Another path of the torrent that it is a symbolic link to; such a file has no content. */
  readonly symlink?: readonly string[];
  /** v2, and not empty: the root of its Merkle tree. */
  readonly piecesRoot?: Buffer;
}

export interface TorrentLayout {
  readonly name: string;
  readonly geometry: Geometry;
  readonly files: readonly LayoutFile[];
  /** One file that lies in no folder. */
  readonly isSingle: boolean;
}

/** First and last piece that hold bytes of the file, inclusive; undefined: it is empty. */
export function piecesOf(
  file: Pick<LayoutFile, "offset" | "lengthBytes">,
  pieceLengthBytes: number,
): { first: number; last: number } | undefined {
  if (file.lengthBytes === 0) return undefined;
  return { first: Math.floor(file.offset / pieceLengthBytes), last: Math.floor((file.offset + file.lengthBytes - 1) / pieceLengthBytes) };
}

/** Bytes of all files: what the user gets. */
export function contentBytes(layout: Pick<TorrentLayout, "files">): number {
  return layout.files.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}

/** Offsets of files of these lengths that each begin with a piece (BEP 52), and where the last one ends. */
export function alignedOffsets(lengths: readonly number[], pieceLengthBytes: number): { offsets: number[]; endBytes: number } {
  let endBytes = 0;
  const offsets = lengths.map((lengthBytes) => {
    const offset = lengthBytes === 0 ? endBytes : Math.ceil(endBytes / pieceLengthBytes) * pieceLengthBytes;
    endBytes = offset + lengthBytes;
    return offset;
  });
  return { offsets, endBytes };
}

/** The geometry with the pieces that end in padding: `files` are the real ones, `lengthBytes` counts padding too. */
export function layoutGeometry(
  files: readonly Pick<LayoutFile, "offset" | "lengthBytes">[],
  space: { lengthBytes: number; pieceLengthBytes: number },
): Geometry {
  const geometry = geometryOf(space);
  const { pieceLengthBytes, lengthBytes } = space;
  const padded = new Map<number, number>();
  let end = 0;
  const closeGap = (next: number): void => {
    const index = Math.floor(end / pieceLengthBytes);
    const dataBytes = end - index * pieceLengthBytes;
    const pieceEnd = Math.min((index + 1) * pieceLengthBytes, lengthBytes);
    if (dataBytes > 0 && next >= pieceEnd && pieceEnd > end) padded.set(index, dataBytes);
  };
  for (const file of files) {
    if (file.lengthBytes === 0) continue;
    if (file.offset > end) closeGap(file.offset);
    end = file.offset + file.lengthBytes;
  }
  if (end < lengthBytes) closeGap(lengthBytes);
  return padded.size === 0 ? geometry : { ...geometry, padded };
}
