/**
 * What a piece's hashes are, and whether they are the wanted ones. Decides; runs in the hash threads and on the event loop.
 */
import { hash } from "node:crypto";
import { pieceRoot } from "../../torrents/merkle.ts";

export interface WantedHashes {
  readonly lengthBytes: number;
  /** Leaves of the piece's Merkle tree; 0: no SHA-256 root wanted. */
  readonly leafCount: number;
  readonly sha1: boolean;
  readonly expectedRoot?: Uint8Array;
  readonly expectedSha1?: Uint8Array;
}

export interface PieceHashed {
  readonly good: boolean;
  readonly root?: Buffer;
  readonly sha1?: Buffer;
}

/** `padded`: the piece, and the padding that is part of its SHA-1. */
export function hashPiece(
  padded: Buffer,
  { lengthBytes, leafCount, sha1: wantsSha1, expectedRoot, expectedSha1 }: WantedHashes,
): PieceHashed {
  const root = leafCount === 0 ? undefined : pieceRoot(padded.subarray(0, lengthBytes), leafCount);
  const sha1 = wantsSha1 ? hash("sha1", padded, "buffer") : undefined;
  return { good: isWanted(expectedRoot, root) && isWanted(expectedSha1, sha1), root, sha1 };
}

function isWanted(expected: Uint8Array | undefined, found: Buffer | undefined): boolean {
  return expected === undefined || (found?.equals(expected) ?? false);
}
