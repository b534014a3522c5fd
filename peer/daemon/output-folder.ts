/**
 * The folder that a torrent's files go into, found or made before anything is downloaded. Drives.
 */
import { constants } from "node:fs";
import { access, mkdir, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SkimmerError } from "../../system/errors.ts";
import { formatBytes } from "../../system/units.ts";
import type { DownloadRequest } from "./daemon-api.ts";
import { unwritable } from "./output-check.ts";
import { RealFolders } from "./real-folders.ts";

/** Left free, whatever a download wants. */
const RESERVE_BYTES = 16 * 1024 * 1024;

/** What is to be written: files at these paths of the torrent NAME. */
export interface WantedFiles {
  readonly name: string;
  readonly paths: readonly (readonly string[])[];
}

/** NAME below the folder that the request gives, made where it is not there; undefined: nothing is written. */
export async function prepareFolder(
  { output, outputFolder }: Pick<DownloadRequest, "output" | "outputFolder">,
  { name, paths }: WantedFiles,
): Promise<string | undefined> {
  const parent = outputFolder ?? output;
  if (parent === undefined) return undefined;
  const found = await stat(parent).catch(() => undefined);
  if (found?.isDirectory() === false)
    throw new SkimmerError("output_unwritable", `cannot write into ${parent}: it is no folder`, {
      hint: "The torrent has several files: give a folder with -o.",
    });
  const root = join(parent, name);
  try {
    await mkdir(root, { recursive: true });
    await access(root, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw unwritable(root, cause);
  }
  const folders = new RealFolders(root);
  for (const path of paths) await folders.check(path);
  return root;
}

/** Rejects with SkimmerError `disk_full` where the file system of `folder` has no room for so many bytes. */
export async function checkRoom(folder: string, neededBytes: number): Promise<void> {
  // the task's folder is made with its first piece
  const disk = await statfs(folder).catch(() => statfs(dirname(folder)));
  const freeBytes = disk.bavail * disk.bsize;
  if (neededBytes === 0 || freeBytes >= neededBytes + RESERVE_BYTES) return;
  throw new SkimmerError("disk_full", `not enough room in ${folder}: ${formatBytes(neededBytes)} needed, ${formatBytes(freeBytes)} free`, {
    hint: "Free some space, select fewer files, or choose another folder with --home.",
  });
}
