/**
 * Files and folders of this machine (or of what it has mounted), under allowed roots only. Drives.
 *
 * Invariant: nothing outside the roots is opened for reading, whatever links there are: the path is resolved first, and
 * what was opened is looked at again. Outside and missing answer alike. A file is known by device, inode, length and
 * time; it is looked at after each chunk was read and before the chunk counts, so that versions never mix.
 */
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open, readdir, readlink, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { SkimmerError } from "../system/errors.ts";
import { safeName } from "../torrents/safe-name.ts";
import { windowLength } from "./http-answers.ts";
import type { AskOptions, ChunkSink, Origin, OriginEntry, OriginListing, OriginRequest, Probe, ReadRange } from "./types.ts";
import { lastSegment } from "./url-path.ts";

const CHUNK_BYTES = 1024 * 1024;
/** A folder with more entries is not sorted as a whole: what is listed of it is any of them. */
const MOST_SEEN = 100_000;
/** Where the kernel tells the path behind an open file. */
const OPEN_FILES = "/proc/self/fd";

export interface FileOriginOptions {
  /** Folders that may be read, with all that is below them. None: nothing may. */
  readonly roots: readonly string[];
}

export function openFileOrigin(options: FileOriginOptions): Origin {
  return new FileOrigin(options.roots);
}

class FileOrigin implements Origin {
  readonly #roots: readonly string[];

  constructor(roots: readonly string[]) {
    this.#roots = roots;
  }

  async probe(request: OriginRequest, options: AskOptions): Promise<Probe> {
    await using file = await this.#open(request.url);
    const found = await fileFacts(file, request.url);
    options.onAnswer?.(200);
    return {
      lengthBytes: windowLength(request, Number(found.size)),
      ranges: true,
      validators: validatorsOf(found),
      name: lastSegment(fileURLToPath(request.url)),
      cacheControl: "",
    };
  }

  async read(request: OriginRequest, range: ReadRange, sink: ChunkSink, options: AskOptions): Promise<void> {
    await using file = await this.#open(request.url);
    const check = async (): Promise<void> => {
      const now = validatorsOf(await fileFacts(file, request.url));
      if (range.validators.etag === undefined || range.validators.etag === now.etag) return;
      throw new SkimmerError("origin_changed", `${request.url} changed while it was being read`, {
        hint: "Start the download again to get the new version.",
      });
    };
    await check();
    options.onAnswer?.(200);
    const offset = request.window?.firstByte ?? 0;
    const last = range.lastByte === undefined ? undefined : range.lastByte + offset;
    const place = { firstByte: range.firstByte + offset, lastByte: last, signal: options.signal };
    await readFileRange(file, place, async (chunk) => {
      await check();
      await sink(chunk);
    });
  }

  async list(request: OriginRequest, options: AskOptions & { readonly most: number }): Promise<OriginListing> {
    const folder = await this.#resolve(request.url);
    const found = await readdir(folder, { withFileTypes: true }).catch((error) => Promise.reject(asOriginError(error, request.url)));
    options.onAnswer?.(200);
    // links are left out: they may lead anywhere, and into circles
    const items = found.slice(0, MOST_SEEN).filter((item) => item.isFile() || item.isDirectory());
    items.sort((a, b) => (a.name < b.name ? -1 : 1));
    const entries = await Promise.all(items.slice(0, options.most).map((item) => entryOf(folder, item)));
    return { entries, truncated: items.length > options.most || found.length > MOST_SEEN };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The path without links, when it is under a root. Rejects with SkimmerError `origin_refused`, `bad_request`. */
  async #resolve(url: string): Promise<string> {
    const path = await realpath(pathOf(url)).catch(() => undefined);
    if (path === undefined || !(await this.#allows(path))) throw refused(url, this.#roots.length > 0);
    return path;
  }

  async #open(url: string): Promise<FileHandle> {
    const path = await this.#resolve(url);
    // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await open(path, flags).catch((error) => Promise.reject(asOriginError(error, url)));
    try {
      // a folder on the way may have been swapped for a link since
      const opened = await readlink(`${OPEN_FILES}/${file.fd}`).catch(() => realpath(path));
      if (!(await this.#allows(opened))) throw refused(url, true);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #allows(path: string): Promise<boolean> {
    for (const root of this.#roots) {
      const real = await realpath(root).catch(() => undefined);
      if (real !== undefined && (path === real || path.startsWith(real.endsWith(sep) ? real : real + sep))) return true;
    }
    return false;
  }
}

/** Reads the bytes of an open file in order, one chunk at a time; to the end where `lastByte` is absent. */
export async function readFileRange(
  file: FileHandle,
  range: { readonly firstByte: number; readonly lastByte: number | undefined; readonly signal: AbortSignal },
  sink: (chunk: Buffer) => Promise<void>,
): Promise<void> {
  const end = range.lastByte === undefined ? Number.POSITIVE_INFINITY : range.lastByte + 1;
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - range.firstByte));
  for (let at = range.firstByte; at < end; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at);
    if (bytesRead === 0 && end === Number.POSITIVE_INFINITY) return;
    if (bytesRead === 0) throw new SkimmerError("origin_failed", "the file ended early", { retriable: true });
    await orAborted(sink(buffer.subarray(0, bytesRead)), range.signal);
    at += bytesRead;
  }
}

/** As the promise, unless the signal comes first. */
function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new SkimmerError("bad_request", `cannot read ${url}`, { hint: "Write file:///absolute/path, without a host.", cause });
  }
}

async function fileFacts(file: FileHandle, url: string): Promise<BigIntStats> {
  const found = await file.stat({ bigint: true });
  if (found.isFile()) return found;
  throw new SkimmerError("bad_request", `${url} is ${found.isDirectory() ? "a folder" : "no ordinary file"}`);
}

function validatorsOf({ dev, ino, size, mtimeNs, mtime }: BigIntStats) {
  return { etag: `"${[dev, ino, size, mtimeNs].map((part) => part.toString(16)).join("-")}"`, lastModified: mtime.toUTCString() };
}

async function entryOf(folder: string, item: { name: string; isDirectory(): boolean }): Promise<OriginEntry> {
  const path = join(folder, item.name);
  const isDirectory = item.isDirectory();
  // gone since: the length is unknown, and its probe will say why
  const found = isDirectory ? undefined : await stat(path).catch(() => undefined);
  return { name: safeName(item.name), url: pathToFileURL(path).href, isDirectory, lengthBytes: found?.size };
}

function refused(url: string, hasRoots: boolean): SkimmerError {
  return new SkimmerError("origin_refused", `${url} is not there, or not in a folder that may be read`, {
    hint: hasRoots ? "Put it below a folder of --file-root." : "Allow its folder where it is read (seeder, dfdaemon): --file-root DIR.",
  });
}

function asOriginError(cause: unknown, url: string): SkimmerError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "EACCES" || code === "EPERM") return new SkimmerError("origin_refused", `cannot read ${url}: permission denied`, { cause });
  if (code === "ENOENT" || code === "ELOOP") return new SkimmerError("origin_not_found", `${url} is not there any more`, { cause });
  if (code === "ENOTDIR") return new SkimmerError("bad_request", `${url} is no folder`, { cause });
  return new SkimmerError("origin_failed", `cannot read ${url}: ${message}`, { cause });
}
