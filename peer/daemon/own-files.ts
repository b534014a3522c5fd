/**
 * The files of a folder that its owner shares, found for a new torrent. Drives.
 * Symbolic links and what is no regular file are passed over; names that other hosts could not keep are refused.
 */
import { constants, type Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { SkimmerError } from "../../system/errors.ts";
import type { OwnFile } from "../../torrents/make-torrent.ts";
import { MAX_FILES } from "../../torrents/parse-info.ts";
import { safeName } from "../../torrents/safe-name.ts";
import { PathKeeper } from "../../torrents/safe-paths.ts";

export interface OwnFiles {
  readonly isSingle: boolean;
  readonly files: readonly OwnFile[];
}

/** Rejects with SkimmerError `bad_request`. */
export async function findOwnFiles(path: string): Promise<OwnFiles> {
  const found = await stat(path).catch((cause: Error) => {
    throw new SkimmerError("bad_request", `cannot read ${path}: ${cause.message}`, { cause });
  });
  if (!found.isFile() && !found.isDirectory()) throw bad(`${path} is neither a file nor a folder`);
  const files: OwnFile[] = [];
  if (found.isDirectory()) await walk(path, [], files);
  else files.push({ path: [], lengthBytes: found.size, executable: isExecutable(found.mode) });
  if (!files.some(({ lengthBytes }) => lengthBytes > 0)) throw bad(`${path} is not a file with content, nor a folder with one`);
  checkNames(files);
  return { isSingle: !found.isDirectory(), files };
}

async function walk(root: string, folder: readonly string[], files: OwnFile[]): Promise<void> {
  const entries = await readdir(join(root, ...folder), { withFileTypes: true }).catch((cause: Error): Dirent[] => {
    throw new SkimmerError("bad_request", `cannot read ${join(root, ...folder)}: ${cause.message}`, { cause });
  });
  for (const entry of entries) {
    const path = [...folder, entry.name];
    if (entry.isDirectory()) await walk(root, path, files);
    else if (entry.isFile()) {
      const { size, mode } = await stat(join(root, ...path)).catch((cause: Error) => {
        throw new SkimmerError("bad_request", `cannot read ${join(root, ...path)}: ${cause.message}`, { cause });
      });
      files.push({ path, lengthBytes: size, executable: isExecutable(mode) });
      if (files.length > MAX_FILES) throw bad(`${root} has more than ${MAX_FILES} files`);
    }
  }
}

function isExecutable(mode: number): boolean {
  return (mode & constants.S_IXUSR) !== 0;
}

/** What a receiver would have to rename cannot be read back here under its own name. */
function checkNames(files: readonly OwnFile[]): void {
  const keeper = new PathKeeper();
  for (const { path } of files) {
    if (path.length === 0) continue;
    const unsafe = path.find((part) => safeName(part) !== part);
    if (unsafe !== undefined) throw bad(`the name ${JSON.stringify(unsafe)} cannot be shared`);
    if (keeper.place(path).join("/") !== path.join("/"))
      throw bad(`${JSON.stringify(path.join("/"))} differs from another name in case only`);
  }
}

function bad(message: string): SkimmerError {
  return new SkimmerError("bad_request", message, { hint: "Give a file, or a folder whose names are plain text." });
}
