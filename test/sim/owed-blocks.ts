/** The downloader's invariant: a block that is on order is owed by some peer. Where it breaks, a piece never becomes whole. */
import type { SwarmTorrent } from "../../peer/engine/swarm-torrent.ts";
import { BLOCK_BYTES } from "../../torrents/geometry.ts";

/** Throws where the first block on order of some piece is owed by nobody: one that was lost comes to be the first. */
export function assertOwed({ downloader, state }: SwarmTorrent): void {
  const owed = [...state.links].flatMap((link) => link.requests);
  for (const piece of downloader.pieces.values()) {
    const run = piece.requestedRun(BLOCK_BYTES);
    if (run === undefined) continue;
    const isOwed = owed.some((open) => open.piece === piece && open.begin <= run.begin && run.begin < open.begin + open.length);
    if (!isOwed) throw new Error(`nobody owes piece ${piece.index} the block at ${run.begin}`);
  }
}
