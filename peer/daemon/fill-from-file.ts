/**
 * Takes the pieces that a torrent lacks from a local file. Drives.
 * Each piece is checked as if a peer had brought it; where this host signs the torrent itself, the file is the truth.
 */
import { open } from "node:fs/promises";
import { pieceLengthAt, pieceOffset } from "../../torrents/geometry.ts";
import type { Delivery, Torrent } from "../engine/types.ts";

/** Pieces that are read and hashed at the same time. */
const AT_ONCE = 3;
/** On disk now; `unverified` is kept to ourselves until somebody's word on the piece comes. */
const TAKEN: ReadonlySet<Delivery["kind"]> = new Set(["stored", "unverified"]);

/** Answers how many bytes were taken; pieces that do not fit are left out. A shorter file gives what it has. */
export async function fillFromFile(
  torrent: Torrent,
  path: string,
  options: { signal: AbortSignal; wanted?: (index: number) => boolean },
): Promise<number> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  const { geometry } = torrent;
  const indices = Array.from({ length: geometry.pieceCount }, (_, index) => index).values();
  let taken = 0;
  const worker = async (): Promise<void> => {
    for (const index of indices) {
      options.signal.throwIfAborted();
      const offset = pieceOffset(geometry, index);
      const lengthBytes = pieceLengthAt(geometry, index);
      if (options.wanted?.(index) === false) continue;
      if (torrent.has(index) || offset + lengthBytes > size) continue;
      const buffer = await torrent.acquire(index, options);
      const { bytesRead } = await file.read(buffer.bytes, 0, lengthBytes, offset).catch((thrown: unknown) => {
        buffer.release();
        throw thrown;
      });
      if (bytesRead !== lengthBytes) buffer.release();
      else if (TAKEN.has((await torrent.deliver(buffer, "origin")).kind)) taken += lengthBytes;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return taken;
}
