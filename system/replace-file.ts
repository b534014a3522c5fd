/**
 * Small files that are written anew as a whole: whoever reads one finds the old or the new content, never a part.
 * Drives. Not synced to the disk: after a loss of power the old content may be back.
 */
import { mkdir, rename, utimes, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

export interface ReplaceOptions {
  /** Modification time, where it means something; absent: now. */
  readonly modifiedMs?: number;
}

/** Writes beside the file and renames over it; readable by us alone. A folder that is missing is made. Rejects with the system's error. */
export async function replaceFile(path: string, contents: string | Uint8Array, { modifiedMs }: ReplaceOptions = {}): Promise<void> {
  const fresh = `${path}.new`;
  const write = (): Promise<void> => writeFile(fresh, contents, { mode: 0o600 });
  try {
    await write();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    // asked for only now: each call goes through the thread pool, and nearly always the folder is there
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await write();
  }
  if (modifiedMs !== undefined) await utimes(fresh, modifiedMs / 1000, modifiedMs / 1000);
  await rename(fresh, path);
}
