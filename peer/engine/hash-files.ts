/**
 * Hashes of all pieces of files that are shared where they are: what a new torrent is made of. Drives the hash workers.
 * Bounded: a few pieces at a time, in buffers of the engine's pool.
 */

import { geometryOf, paddedLengthAt, pieceLengthAt, pieceOffset } from "../../torrents/geometry.ts";
import type { PieceHashes } from "../../torrents/make-torrent.ts";
import { leavesPerPiece } from "../../torrents/merkle.ts";
import { piecesOf, type TorrentLayout } from "../../torrents/torrent-layout.ts";
import type { HashWorkers } from "./hash-workers.ts";
import type { PieceBuffers } from "./piece-buffers.ts";
import { openContent } from "./store/open-content.ts";

export interface FilesInPlace {
  readonly layout: TorrentLayout;
  /** The folder that holds them, or the one file. */
  readonly inPlace: string;
}

export interface HashWishes {
  /** SHA-256 roots are only those of v2 where each file begins with a piece. */
  readonly wants: { readonly sha1s: boolean; readonly roots: boolean };
  readonly signal: AbortSignal;
}

const AT_ONCE = 3;
const SHA1_BYTES = 20;
const ROOT_BYTES = 32;

/** Rejects with the system's error where a file cannot be read, or the reason of `signal`. */
export async function hashFiles(
  { layout, inPlace }: FilesInPlace,
  { buffers, workers, wants, signal: outer }: HashWishes & { buffers: PieceBuffers; workers: HashWorkers },
): Promise<PieceHashes> {
  const { data } = await openContent({ directory: inPlace, geometry: layout.geometry, layout, inPlace });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => data.close());
  const { geometry } = layout;
  const sha1s = Buffer.alloc(wants.sha1s ? geometry.pieceCount * SHA1_BYTES : 0);
  const roots = Buffer.alloc(wants.roots ? geometry.pieceCount * ROOT_BYTES : 0);
  const leafCountAt = leafCounts(layout);
  const failed = new AbortController();
  const signal = AbortSignal.any([outer, failed.signal]);
  const indices = Array.from({ length: geometry.pieceCount }, (_, index) => index).values();
  const hashNext = async (): Promise<void> => {
    for (const index of indices) {
      signal.throwIfAborted();
      const paddedBytes = paddedLengthAt(geometry, index);
      const slot = await buffers.acquire(paddedBytes, signal);
      try {
        // what lies between files is read as zeros
        await data.read(slot.bytes.subarray(0, paddedBytes), pieceOffset(geometry, index));
        const lengthBytes = pieceLengthAt(geometry, index);
        const leafCount = wants.roots ? leafCountAt(index) : 0;
        const result = await workers.run(slot, { lengthBytes, paddedBytes, leafCount, sha1: wants.sha1s, fd: -1, offset: 0 });
        if (result.sha1 !== undefined) sha1s.set(result.sha1, index * SHA1_BYTES);
        if (result.root !== undefined) roots.set(result.root, index * ROOT_BYTES);
      } finally {
        buffers.release(slot);
      }
    }
  };
  // all of them end before the files are closed; the first failure is what is told
  const lanes = Array.from({ length: AT_ONCE }, () => hashNext().catch((error: unknown) => failed.abort(error)));
  await Promise.all(lanes);
  signal.throwIfAborted();
  return { sha1s, roots };
}

/** A file of one piece pads to its own blocks only (BEP 52). */
function leafCounts({ files, geometry: { pieceLengthBytes } }: TorrentLayout): (index: number) => number {
  const small = new Map<number, number>();
  for (const file of files) {
    const span = piecesOf(file, pieceLengthBytes);
    if (span !== undefined && span.first === span.last)
      small.set(span.first, leavesPerPiece(geometryOf({ lengthBytes: file.lengthBytes, pieceLengthBytes })));
  }
  const whole = leavesPerPiece(geometryOf({ lengthBytes: 2 * pieceLengthBytes, pieceLengthBytes }));
  return (index) => small.get(index) ?? whole;
}
