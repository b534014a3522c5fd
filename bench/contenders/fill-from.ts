/**
 * Takes a file that is there already into a torrent.
 */
import { open } from "node:fs/promises";
import type { Torrent } from "../../peer/engine/types.ts";

const LIMIT_MS = 120_000;

/** Fills what the torrent lacks from the file at `path`, piece by piece; wrong pieces reject. */
export async function fillFrom(torrent: Torrent, path: string): Promise<void> {
  await using file = await open(path);
  const signal = AbortSignal.timeout(LIMIT_MS);
  for (let claim = torrent.claimMissing(1); claim !== undefined; claim = torrent.claimMissing(1)) {
    const piece = await torrent.acquire(claim.first, { signal });
    await file.read(piece.bytes, 0, piece.bytes.length, claim.first * torrent.geometry.pieceLengthBytes);
    const { kind } = await torrent.deliver(piece, "origin");
    if (kind === "mismatch") throw new Error(`piece ${claim.first} of ${path} is not the torrent's`);
  }
}
