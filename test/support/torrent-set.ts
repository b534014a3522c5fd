/**
 * A folder of files for torrents of several files: nested, empty, shorter and longer than a piece, executable; and what is in it.
 */
import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { seededBytes } from "./scripted-origin.ts";

/** Lengths by path; pieces of 64 KiB. */
const FILES: Readonly<Record<string, number>> = {
  "a.bin": 700_000,
  "big.bin": 9_000_001,
  "sub/b.sh": 40_000,
  "sub/deep/c.bin": 300_001,
  "sub/empty": 0,
  "z.bin": 16_384,
};

export const SET_PIECE_BYTES = 65_536;

/** Makes the folder; `sub/b.sh` is executable. */
export async function writeSet(folder: string, seed: number): Promise<void> {
  for (const [at, [path, length]] of Object.entries(FILES).entries()) {
    const full = join(folder, path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, seededBytes(seed + at, length));
    if (path.endsWith(".sh")) await chmod(full, 0o755);
  }
}

/** SHA-256 by path of all files below the folder; padding files that other clients write are left out. */
export async function digestsBelow(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const full = join(entry.parentPath, entry.name);
    const path = relative(folder, full);
    if (!entry.isFile() || path.startsWith(".pad/")) continue;
    found[path] = createHash("sha256")
      .update(await readFile(full))
      .digest("hex");
  }
  return found;
}

export async function isExecutable(path: string): Promise<boolean> {
  return ((await stat(path)).mode & 0o100) !== 0;
}
