/**
 * The file with a torrent's content: sparse, at its final length from the start, read and written by whole ranges.
 * Invariant: it is made only after a check that the file system has room for all of it.
 */
import { type FileHandle, open, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { SkimmerError } from "../../../system/errors.ts";
import { formatBytes } from "../../../system/units.ts";
import type { ContentStore, WritePlace } from "./content-store.ts";

/** Left free on the file system, whatever a download wants. */
const RESERVE_BYTES = 16 * 1024 * 1024;
const STAT_BLOCK_BYTES = 512;

/** An open content file. */
export class DataFile implements ContentStore {
  readonly path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Opens or makes the file, in a folder that is there. `fresh` tells that nothing in it can be trusted. Rejects with `disk_full`. */
  static async open(path: string, lengthBytes: number): Promise<{ data: DataFile; fresh: boolean }> {
    const existing = await open(path, "r+").catch(() => undefined);
    const stat = await existing?.stat();
    const fresh = stat === undefined || stat.size !== lengthBytes;
    const allocatedBytes = fresh ? 0 : stat.blocks * STAT_BLOCK_BYTES;
    try {
      await checkRoom(dirname(path), lengthBytes - allocatedBytes);
      const file = existing ?? (await open(path, "w+"));
      if (fresh) await file.truncate(lengthBytes);
      return { data: new DataFile(path, file), fresh };
    } catch (error) {
      await existing?.close();
      throw error;
    }
  }

  get paths(): string[] {
    return [this.path];
  }

  place(offset: number): WritePlace {
    return { fd: this.#file.fd, offset, release: nothing };
  }

  /** A file of another length counts as fresh, and is never lacking. */
  lacks(): boolean {
    return false;
  }

  /** Fills `target` from `offset`; rejects where the file is too short. */
  async read(target: Uint8Array, offset: number): Promise<void> {
    let done = 0;
    while (done < target.length) {
      const { bytesRead } = await this.#file.read(target, done, target.length - done, offset + done);
      if (bytesRead === 0) throw new SkimmerError("internal", `reading ${this.path} ended ${target.length - done} bytes early`);
      done += bytesRead;
    }
  }

  /** Modification time in whole milliseconds. */
  async stamp(): Promise<number> {
    return Math.floor((await this.#file.stat()).mtimeMs);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** The file is open for as long as the torrent. */
function nothing(): void {}

async function checkRoom(directory: string, neededBytes: number): Promise<void> {
  if (neededBytes <= 0) return;
  const { bavail, bsize } = await statfs(directory);
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes + RESERVE_BYTES) return;
  throw new SkimmerError(
    "disk_full",
    `not enough room in ${directory}: ${formatBytes(neededBytes)} needed, ${formatBytes(freeBytes)} free`,
    {
      hint: "Free some space, or choose another folder with --home.",
    },
  );
}
