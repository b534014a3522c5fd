/**
 * Brings complete content from the store (or from memory) to the output path. Drives.
 *
 * In this order: reflink (costs nothing, shares nothing that can be seen); hard link; copy. A hard link saves the second
 * copy of large files, and is taken only where the store's file has no other name yet, so that two outputs never share
 * a file, and only where the caller then watches the file (linked-files.ts): a user may edit the output in place, and
 * the store must stop serving it. Small files are always copied.
 *
 * Invariant: the output path names the old file or the whole new one, never a part.
 */
import { randomBytes } from "node:crypto";
import { constants, createReadStream, createWriteStream, type Stats } from "node:fs";
import { chmod, copyFile, link, rename, stat, statfs, unlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { SkimmerError } from "../../system/errors.ts";
import { type OutputTarget, unwritable } from "./output-check.ts";

/** Below this a copy is as fast as a link, and safer. */
export const MIN_LINK_BYTES = 8 * 1024 * 1024;
const MAX_TEMPORARY_NAME = 200;

export interface StoredFile {
  readonly path: string;
  readonly lengthBytes: number;
}

export interface WriteOptions {
  /** Permission bits of the output. */
  readonly mode: number;
  /** May the store's file itself become the output? */
  readonly mayLink: boolean;
  readonly signal: AbortSignal;
}

/** How the output came about; `linked` shares its inode with the store. */
export type Written = "reflinked" | "linked" | "copied" | "streamed" | "already_there";

/** Writes the stored file to the target. Rejects with SkimmerError `output_unwritable` or `disk_full`; leaves no temporary file. */
export async function writeOutput(source: StoredFile, target: OutputTarget, options: WriteOptions): Promise<Written> {
  try {
    if (target.kind === "stream") return await streamInto(source.path, target.path, options.signal);
    if (await isSameFile(source.path, target.path)) return "already_there";
    const temporary = temporaryName(target);
    try {
      const written = await place(source, temporary, options);
      if (written !== "linked") await chmod(temporary, options.mode);
      options.signal.throwIfAborted();
      await rename(temporary, target.path);
      return written;
    } catch (thrown) {
      await unlink(temporary).catch(() => undefined);
      throw thrown;
    }
  } catch (thrown) {
    throw options.signal.aborted || thrown instanceof SkimmerError ? thrown : unwritable(target.path, thrown);
  }
}

/** Writes content that is in memory. */
export async function writeOutputBytes(bytes: Buffer, target: OutputTarget, mode: number): Promise<Written> {
  try {
    if (target.kind === "stream") {
      await writeFile(target.path, bytes);
      return "streamed";
    }
    const temporary = temporaryName(target);
    try {
      await writeFile(temporary, bytes, { mode, flag: "wx" });
      await chmod(temporary, mode);
      await rename(temporary, target.path);
    } catch (thrown) {
      await unlink(temporary).catch(() => undefined);
      throw thrown;
    }
    return "copied";
  } catch (thrown) {
    throw unwritable(target.path, thrown);
  }
}

async function place(source: StoredFile, temporary: string, options: WriteOptions): Promise<Written> {
  if (source.lengthBytes < MIN_LINK_BYTES) {
    // one call: each goes through the thread pool, and there are files by the thousand
    await copyFile(source.path, temporary, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    return "copied";
  }
  if (await succeeds(copyFile(source.path, temporary, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL))) return "reflinked";
  await unlink(temporary).catch(() => undefined);
  if (await mayLink(source, options)) {
    await chmod(source.path, options.mode);
    if (await succeeds(link(source.path, temporary))) return "linked";
  }
  await checkSpace(source, temporary);
  await copyFile(source.path, temporary, constants.COPYFILE_EXCL);
  return "copied";
}

async function mayLink(source: StoredFile, options: WriteOptions): Promise<boolean> {
  if (!options.mayLink) return false;
  const stored = await stat(source.path);
  return stored.nlink === 1 && stored.size === source.lengthBytes;
}

async function checkSpace(source: StoredFile, temporary: string): Promise<void> {
  const disk = await statfs(join(temporary, ".."));
  const freeBytes = disk.bavail * disk.bsize;
  if (freeBytes >= source.lengthBytes) return;
  throw new SkimmerError(
    "disk_full",
    `cannot write ${source.lengthBytes} bytes to ${join(temporary, "..")}: its disk has ${freeBytes} bytes left`,
    {
      hint: "Free some space and run the same command again; what was downloaded is kept.",
    },
  );
}

async function streamInto(from: string, into: string, signal: AbortSignal): Promise<Written> {
  await pipeline(createReadStream(from), createWriteStream(into, { flags: "w" }), { signal });
  return "streamed";
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([a, b].map((path) => stat(path).catch((): Stats | undefined => undefined)));
  return first !== undefined && second !== undefined && first.ino === second.ino && first.dev === second.dev;
}

function temporaryName(target: { path: string; folder: string }): string {
  const name = Buffer.from(basename(target.path))
    .subarray(0, MAX_TEMPORARY_NAME)
    .toString("latin1")
    .replace(/[^\x21-\x7e]/g, "_");
  return join(target.folder, `.${name}.${randomBytes(6).toString("hex")}.part`);
}

async function succeeds(action: Promise<unknown>): Promise<boolean> {
  return action.then(
    () => true,
    () => false,
  );
}
