/**
 * The files of a torrent of several files, or files of somebody else that are shared where they are. Drives.
 *
 * Own files lie in the torrent's folder under numbers, so that no name of a stranger is ever a path there; they are made when the
 * first piece of theirs is written. Files in place are only read. Few are open at a time; one that a write uses stays open.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { SkimmerError } from "../../../system/errors.ts";
import type { ContentStore, WritePart, WritePlace } from "./content-store.ts";
import { type Extent, FileExtents, type PlacedFile } from "./file-extents.ts";

export interface SetFile extends PlacedFile {
  readonly path: string;
}

/** Files of one torrent that are open at the same time, besides those in use; no piece keeps more of them open. */
const MOST_OPEN = 16;
const STATS_AT_ONCE = 64;
/** 48 bits of a hash: an exact number. */
const STAMP_BYTES = 6;

type FileExtent = Extent & { readonly file: number };

interface OpenFile {
  readonly opening: Promise<FileHandle>;
  users: number;
}

export class FileSet implements ContentStore {
  readonly path: string;
  readonly #files: readonly SetFile[];
  readonly #extents: FileExtents;
  readonly #inPlace: boolean;
  /** In the order of last use. */
  readonly #open = new Map<number, OpenFile>();
  /** Files that are not there, or not of their length. */
  readonly #lacking = new Set<number>();
  #closed = false;

  private constructor(files: readonly SetFile[], options: { path: string; inPlace: boolean }) {
    this.path = options.path;
    this.#files = files;
    this.#inPlace = options.inPlace;
    this.#extents = new FileExtents(files);
  }

  /** Looks at the files; makes none. */
  static async open(files: readonly SetFile[], options: { path: string; inPlace: boolean }): Promise<FileSet> {
    const set = new FileSet(files, options);
    await set.#eachStat((index, found) => {
      if (found?.size !== files[index].lengthBytes) set.#lacking.add(index);
    });
    return set;
  }

  get paths(): string[] {
    return this.#files.map(({ path }) => path);
  }

  lacks(offset: number, lengthBytes: number): boolean {
    return this.#extents.extents(offset, lengthBytes).some(({ file }) => file !== undefined && this.#lacking.has(file));
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    for (const { file, fileOffset, start, lengthBytes } of this.#extents.extents(offset, target.length)) {
      const part = target.subarray(start, start + lengthBytes);
      if (file === undefined) part.fill(0);
      else await this.#use(file, (handle) => readAll(handle, { part, offset: fileOffset, path: this.#files[file].path }));
    }
  }

  async place(offset: number, lengthBytes: number): Promise<WritePlace> {
    if (this.#inPlace)
      throw new SkimmerError("origin_changed", `${this.path} is shared where it is, and never written`, {
        hint: "A file of it vanished or was cut: share it again.",
      });
    const extents = this.#extents
      .extents(offset, lengthBytes)
      .flatMap(({ file, ...run }) => (file === undefined ? [] : [{ ...run, file }]));
    if (extents.length <= MOST_OPEN) return this.#holdFiles(extents);
    return { fd: -1, offset: 0, parts: await this.#makeFiles(extents), release: nothing };
  }

  /** A piece of few files: they stay open until it is written. */
  async #holdFiles(extents: readonly FileExtent[]): Promise<WritePlace> {
    const held: OpenFile[] = [];
    const release = (): void => {
      for (const file of held.splice(0)) file.users--;
      this.#closeIdle();
    };
    try {
      const parts: WritePart[] = [];
      for (const { file: index, fileOffset, start, lengthBytes } of extents) {
        const file = this.#hold(index);
        held.push(file);
        const { fd } = await file.opening;
        parts.push({ fd, offset: fileOffset, start, lengthBytes });
      }
      return { fd: -1, offset: 0, parts, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** A piece of thousands of small files: made now, at their lengths, and opened one by one by whoever writes. */
  async #makeFiles(extents: readonly FileExtent[]): Promise<WritePart[]> {
    for (let at = 0; at < extents.length; at += MOST_OPEN) {
      this.#refuseClosed();
      const some = extents.slice(at, at + MOST_OPEN);
      const made = await Promise.allSettled(some.map(async ({ file }) => (await this.#openFile(file)).close()));
      for (const result of made) if (result.status === "rejected") throw result.reason;
    }
    return extents.map(({ file, fileOffset, start, lengthBytes }) => {
      return { fd: -1, path: this.#files[file].path, offset: fileOffset, start, lengthBytes };
    });
  }

  async stamp(): Promise<number> {
    const seen: string[] = [];
    await this.#eachStat((index, found) => {
      seen[index] = `${found?.mtimeNs} ${found?.size}`;
    });
    return createHash("sha256").update(seen.join("\n")).digest().readUIntBE(0, STAMP_BYTES);
  }

  /** The caller ended its writes; what reads or writes from now on is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.allSettled(open.map(async ({ opening }) => (await opening).close()));
  }

  async #use(index: number, work: (handle: FileHandle) => Promise<void>): Promise<void> {
    const file = this.#hold(index);
    try {
      await work(await file.opening);
    } finally {
      file.users--;
      this.#closeIdle();
    }
  }

  #refuseClosed(): void {
    if (this.#closed) throw new SkimmerError("internal", `${this.path} is closed: its torrent was removed`);
  }

  #hold(index: number): OpenFile {
    this.#refuseClosed();
    const found = this.#open.get(index) ?? { opening: this.#openFile(index), users: 0 };
    found.users++;
    this.#open.delete(index);
    this.#open.set(index, found);
    found.opening.catch(() => {
      if (this.#open.get(index) === found) this.#open.delete(index);
    });
    return found;
  }

  async #openFile(index: number): Promise<FileHandle> {
    const { path, lengthBytes } = this.#files[index];
    if (this.#inPlace) return open(path, constants.O_RDONLY);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const { size } = await handle.stat();
    if (size !== lengthBytes) await handle.truncate(lengthBytes);
    return handle;
  }

  #closeIdle(): void {
    for (const [index, file] of this.#open) {
      if (this.#open.size <= MOST_OPEN) return;
      if (file.users > 0) continue;
      this.#open.delete(index);
      file.opening.then((handle) => handle.close()).catch(() => undefined);
    }
  }

  async #eachStat(visit: (index: number, found: { size: number; mtimeNs: bigint } | undefined) => void): Promise<void> {
    const look = async (index: number): Promise<void> => {
      const found = await stat(this.#files[index].path, { bigint: true }).catch(() => undefined);
      visit(index, found && { size: Number(found.size), mtimeNs: found.mtimeNs });
    };
    for (let at = 0; at < this.#files.length; at += STATS_AT_ONCE) {
      const indices = this.#files.slice(at, at + STATS_AT_ONCE).map((_, step) => at + step);
      await Promise.all(indices.map(look));
    }
  }
}

/** No file stays open. */
function nothing(): void {}

async function readAll(handle: FileHandle, { part, offset, path }: { part: Uint8Array; offset: number; path: string }): Promise<void> {
  let done = 0;
  while (done < part.length) {
    const { bytesRead } = await handle.read(part, done, part.length - done, offset + done);
    if (bytesRead === 0) throw new SkimmerError("internal", `reading ${path} ended ${part.length - done} bytes early`);
    done += bytesRead;
  }
}
