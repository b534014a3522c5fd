/**
 * Paths that a stranger's torrent proposes, made harmless: below the torrent's folder whatever they say, each file with a place of its own
 * also where the file system does not tell upper case from lower. Decides.
 * Invariant: no two results are equal without regard to case, and none is a folder of another.
 */
import { SkimmerError } from "../system/errors.ts";
import { safeName } from "./safe-name.ts";

const MOST_PARTS = 64;
const MOST_BYTES = 3000;
/** Room for a number and an extension below the 255 bytes that a name may have. */
const MOST_STEM_BYTES = 200;

/** The parts of one path, cleaned; `.` and `..` and empty parts are left out. Throws SkimmerError `protocol` where nothing is left. */
export function safePath(parts: readonly string[]): string[] {
  const clean = parts.filter((part) => part !== "" && part !== "." && part !== "..").map(safeName);
  if (clean.length === 0) throw new SkimmerError("protocol", "torrent has a file without a name");
  const bytes = clean.reduce((sum, part) => sum + Buffer.byteLength(part) + 1, 0);
  if (clean.length > MOST_PARTS || bytes > MOST_BYTES)
    throw new SkimmerError("protocol", `torrent has a path of ${clean.length} parts and ${bytes} bytes, above the limits`);
  return clean;
}

/** Gives each path of a torrent its own place: what collides with an earlier one gets `.1`, `.2` … before its extension. */
export class PathKeeper {
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();
  readonly #next = new Map<string, number>();

  place(path: readonly string[]): string[] {
    const placed: string[] = [];
    for (const part of path.slice(0, -1)) {
      placed.push(this.#free(placed, part, (key) => !this.#files.has(key)));
      this.#folders.add(keyOf(placed));
    }
    placed.push(this.#free(placed, path[path.length - 1], (key) => !this.#files.has(key) && !this.#folders.has(key)));
    this.#files.add(keyOf(placed));
    return placed;
  }

  #free(folder: readonly string[], name: string, isFree: (key: string) => boolean): string {
    const wanted = keyOf([...folder, name]);
    if (isFree(wanted)) return name;
    for (let number = this.#next.get(wanted) ?? 1; ; number++) {
      const other = numbered(name, number);
      if (!isFree(keyOf([...folder, other]))) continue;
      this.#next.set(wanted, number);
      return other;
    }
  }
}

function numbered(name: string, number: number): string {
  const dot = name.lastIndexOf(".");
  const [stem, extension] = dot > 0 && name.length - dot <= 10 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  let short = stem;
  while (Buffer.byteLength(short) > MOST_STEM_BYTES) short = short.slice(0, -1);
  return `${short.toWellFormed()}.${number}${extension}`;
}

/** Equal for paths that a file system may take for the same. */
function keyOf(path: readonly string[]): string {
  return path.join("/").normalize("NFC").toLowerCase();
}
