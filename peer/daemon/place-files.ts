/**
 * Puts verified files of a torrent into the user's folder: reflinked, hard-linked or copied as write-output.ts does it, folders and
 * empty files made, symbolic links last. Drives.
 * Invariants: every path is one of the layout, which parse-info.ts made safe, and no part of it is followed where it is a symbolic link;
 * a link points to another path of the torrent.
 */
import { readlink, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { TorrentLayout } from "../../torrents/torrent-layout.ts";
import type { Torrent } from "../engine/types.ts";
import { RealFolders } from "./real-folders.ts";
import type { LinkedFile } from "./task-entry.ts";
import { linkedFileOf, type TaskIndex } from "./task-index.ts";
import { MIN_LINK_BYTES, writeOutput, writeOutputBytes } from "./write-output.ts";

export interface PlaceOptions {
  readonly torrent: Pick<Torrent, "infoHash" | "filePaths">;
  readonly layout: TorrentLayout;
  readonly indices: readonly number[];
  readonly root: string;
  /** Permission bits; executables get the matching ones besides. */
  readonly mode: number;
  readonly index: TaskIndex;
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
}

/** Rejects with SkimmerError `output_unwritable` or `disk_full`; files that are in place by then stay. */
export async function placeFiles(options: PlaceOptions): Promise<void> {
  const { layout, indices, torrent, index: tasks } = options;
  const entry = tasks.get(torrent.infoHash);
  const before = entry?.watched ?? [];
  const candidates = entry === undefined || entry.inPlace !== undefined ? [] : await linkable(options, before);
  // written down first: a crash right after a link must not leave a shared file that nobody watches
  if (candidates.length > 0) await tasks.update(torrent.infoHash, { watched: [...before, ...candidates] });
  const linked = new Set<string>();
  try {
    await placeAll(options, new Set(candidates.map(({ path }) => path)), linked);
  } finally {
    const watched = [...before, ...candidates.filter(({ path }) => linked.has(path))];
    if (candidates.length > 0) await tasks.update(torrent.infoHash, { watched: watched.length === 0 ? undefined : watched });
  }
  for (const index of indices) {
    const { path, symlink: target } = layout.files[index];
    if (target !== undefined) await placeLink(options, path, target);
  }
}

/** Files that may share their bytes with the store, and do not yet. */
async function linkable({ layout, indices, torrent }: PlaceOptions, before: readonly LinkedFile[]): Promise<LinkedFile[]> {
  const known = new Set(before.map(({ path }) => path));
  const wanted = indices.filter((index) => layout.files[index].lengthBytes >= MIN_LINK_BYTES && !known.has(torrent.filePaths[index]));
  const found: LinkedFile[] = [];
  for (const index of wanted) found.push(await linkedFileOf(torrent.filePaths[index]));
  return found;
}

async function placeAll(options: PlaceOptions, mayLink: ReadonlySet<string>, linked: Set<string>): Promise<void> {
  const { layout, indices, root, torrent, mode, signal } = options;
  const folders = new RealFolders(root);
  const stored = torrent.filePaths;
  for (const index of indices) {
    signal.throwIfAborted();
    const { path, lengthBytes, executable, symlink: link } = layout.files[index];
    const target = { kind: "file" as const, path: join(root, ...path), folder: await folders.make(path) };
    if (link !== undefined) continue;
    const fileMode = executable ? mode | ((mode & 0o444) >> 2) : mode;
    if (lengthBytes === 0) await writeOutputBytes(Buffer.alloc(0), target, fileMode);
    else {
      const source = { path: stored[index], lengthBytes };
      const written = await writeOutput(source, target, { mode: fileMode, mayLink: mayLink.has(source.path), signal });
      if (written === "linked") linked.add(source.path);
    }
  }
}

async function placeLink({ root, warn }: PlaceOptions, path: readonly string[], target: readonly string[]): Promise<void> {
  const place = join(root, ...path);
  const text = relative(dirname(place), join(root, ...target));
  try {
    if ((await readlink(place).catch(() => undefined)) !== text) await symlink(text, place);
  } catch (thrown) {
    warn(`the symbolic link ${place} was left out: ${(thrown as Error).message}`);
  }
}
