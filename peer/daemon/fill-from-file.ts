/**
 * Takes the pieces that a torrent lacks from local files. Drives.
 * Each piece is checked as if a peer had brought it; where this host signs the torrent itself, the file is the truth.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { pieceLengthAt, pieceOffset } from "../../torrents/geometry.ts";
import type { TorrentLayout } from "../../torrents/torrent-layout.ts";
import { FileSet, type SetFile } from "../engine/store/file-set.ts";
import type { Delivery, Torrent } from "../engine/types.ts";
import { RealFolders } from "./real-folders.ts";

/** Pieces that are read and hashed at the same time. */
const AT_ONCE = 3;
/** On disk now; `unverified` is kept to ourselves until somebody's word on the piece comes. */
const TAKEN: ReadonlySet<Delivery["kind"]> = new Set(["stored", "unverified"]);

interface FillOptions {
  readonly signal: AbortSignal;
  readonly wanted?: (index: number) => boolean;
}

/** Answers how many bytes were taken; pieces that do not fit are left out. A shorter file gives what it has. */
export async function fillFromFile(torrent: Torrent, path: string, options: FillOptions): Promise<number> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  return await fillPieces(torrent, options, async (target, offset) => {
    if (offset + target.length > size) return false;
    return (await file.read(target, 0, target.length, offset)).bytesRead === target.length;
  });
}

/**
 * The same for a torrent of several files, from a folder that may hold some of them; files of another length are not looked at, nor what
 * lies behind a symbolic link.
 */
export async function fillFromFiles(torrent: Torrent, options: FillOptions & { layout: TorrentLayout; root: string }): Promise<number> {
  const { layout, root } = options;
  const folders = new RealFolders(root);
  const placed: SetFile[] = [];
  for (const { path, offset, lengthBytes } of layout.files) {
    // no file has the empty path: the set takes it for one that is lacking
    const isThere = lengthBytes > 0 && (await folders.holdsFile(path));
    placed.push({ path: isThere ? join(root, ...path) : "", offset, lengthBytes });
  }
  const files = await FileSet.open(placed, { path: root, inPlace: true });
  try {
    return await fillPieces(torrent, options, async (target, offset) => {
      if (files.lacks(offset, target.length)) return false;
      return files.read(target, offset).then(
        () => true,
        () => false,
      );
    });
  } finally {
    await files.close();
  }
}

/** `read` answers whether it could fill the whole target. */
async function fillPieces(
  torrent: Torrent,
  options: FillOptions,
  read: (target: Buffer, offset: number) => Promise<boolean>,
): Promise<number> {
  const { geometry } = torrent;
  const indices = Array.from({ length: geometry.pieceCount }, (_, index) => index).values();
  let taken = 0;
  const worker = async (): Promise<void> => {
    for (const index of indices) {
      options.signal.throwIfAborted();
      if (options.wanted?.(index) === false || torrent.has(index)) continue;
      const lengthBytes = pieceLengthAt(geometry, index);
      const buffer = await torrent.acquire(index, options);
      const filled = await read(buffer.bytes, pieceOffset(geometry, index)).catch((thrown: unknown) => {
        buffer.release();
        throw thrown;
      });
      if (!filled) buffer.release();
      else if (TAKEN.has((await torrent.deliver(buffer, "origin")).kind)) taken += lengthBytes;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return taken;
}
