/**
 * Paths that a stranger's torrent proposes, made harmless: below the torrent's folder whatever they say, each file with a place of its own
 * also where the file system does not tell upper case from lower. Decides.
 * Invariant: no two results are equal without regard to case, and none is a folder of another.
 */
import { SkimmerError } from "../system/errors.ts";
import { safeName } from "./safe-name.ts";

const MOST_PARTS = 64;
const MOST_BYTES = 3000;
/** Bytes of all paths of a torrent: a v2 tree of few bytes can stand for gigabytes of them. */
const MOST_TOTAL_BYTES = 16 * 1024 * 1024;
/** Room for a number and an extension below the 255 bytes that a name may have. */
const MOST_STEM_BYTES = 200;

/** The parts of one path, cleaned; `.` and `..` and empty parts are left out. Throws SkimmerError `protocol` where nothing is left. */
export function safePath(parts: readonly string[], clean: (name: string) => string = safeName): string[] {
  const named = parts.filter((part) => part !== "" && part !== "." && part !== "..");
  if (named.length === 0) throw new SkimmerError("protocol", "torrent has a file without a name");
  if (named.length > MOST_PARTS) throw new SkimmerError("protocol", `torrent has a path of ${named.length} parts, above the limit`);
  const path = named.map(clean);
  const bytes = bytesOf(path);
  if (bytes > MOST_BYTES) throw new SkimmerError("protocol", `torrent has a path of ${bytes} bytes, above the limit`);
  return path;
}

/** `safeName` that cleans each name once: most paths of a torrent share their folders. */
export function nameCleaner(clean: (name: string) => string = safeName): (name: string) => string {
  const cleaned = new Map<string, string>();
  return (name) => {
    const found = cleaned.get(name) ?? clean(name);
    cleaned.set(name, found);
    return found;
  };
}

/** A folder of a torrent, with what it holds by key. */
interface Folder {
  readonly files: Set<string>;
  readonly folders: Map<string, Folder>;
  /** By the names that the torrent says: where their files go. */
  readonly placed: Map<string, { readonly name: string; readonly folder: Folder }>;
  /** First number that may be free for names that differ in their number only. */
  readonly next: Map<string, number>;
}

/**
 * Gives each path of a torrent its own place: what collides with an earlier one gets `.1`, `.2` … before its extension.
 * Throws SkimmerError `protocol` where the paths are too long together.
 */
export class PathKeeper {
  readonly #root = emptyFolder();
  #totalBytes = 0;

  place(path: readonly string[]): string[] {
    this.#totalBytes += bytesOf(path);
    if (this.#totalBytes > MOST_TOTAL_BYTES)
      throw new SkimmerError("protocol", `torrent has paths that are too long together, above ${MOST_TOTAL_BYTES} bytes`);
    const placed: string[] = [];
    let folder = this.#root;
    for (const part of path.slice(0, -1)) {
      const step = folder.placed.get(part) ?? placeFolder(folder, part);
      placed.push(step.name);
      folder = step.folder;
    }
    const { files, folders } = folder;
    const name = freeName(folder, path[path.length - 1], (key) => !files.has(key) && !folders.has(key));
    files.add(keyOf(name));
    return [...placed, name];
  }
}

function placeFolder(parent: Folder, wanted: string): { name: string; folder: Folder } {
  const name = freeName(parent, wanted, (key) => !parent.files.has(key));
  const key = keyOf(name);
  const folder = parent.folders.get(key) ?? emptyFolder();
  parent.folders.set(key, folder);
  const step = { name, folder };
  parent.placed.set(wanted, step);
  return step;
}

function freeName({ next }: Folder, name: string, isFree: (key: string) => boolean): string {
  if (isFree(keyOf(name))) return name;
  const { stem, extension } = shortened(name);
  const family = keyOf(`${stem}/${extension}`);
  for (let number = next.get(family) ?? 1; ; number++) {
    const other = `${stem}.${number}${extension}`;
    if (!isFree(keyOf(other))) continue;
    next.set(family, number + 1);
    return other;
  }
}

function shortened(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf(".");
  const [stem, extension] = dot > 0 && name.length - dot <= 10 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  let short = stem;
  while (Buffer.byteLength(short) > MOST_STEM_BYTES) short = short.slice(0, -1);
  return { stem: short.toWellFormed(), extension };
}

function emptyFolder(): Folder {
  return { files: new Set(), folders: new Map(), placed: new Map(), next: new Map() };
}

function bytesOf(path: readonly string[]): number {
  return path.reduce((sum, part) => sum + Buffer.byteLength(part) + 1, 0);
}

/** Equal for names that a file system may take for the same. */
function keyOf(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
