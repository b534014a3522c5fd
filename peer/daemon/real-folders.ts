/**
 * The folders of a torrent below its output: looked at and made one by one, never through a symbolic link. Drives.
 *
 * A link that an earlier torrent left, or the user, would lead a later one elsewhere. The root itself is the user's, and may be a link.
 * Invariant: a folder that was found real stays so as far as downloads go, for they make folders and never replace one.
 */
import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { SkimmerError } from "../../system/errors.ts";
import { unwritable } from "./output-check.ts";

export class RealFolders {
  readonly #root: string;
  readonly #real = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** The folder of the file `path`, made where it is not there. Rejects with SkimmerError `output_unwritable` or `disk_full`. */
  async make(path: readonly string[]): Promise<string> {
    let folder = this.#root;
    for (const part of path.slice(0, -1)) {
      folder = join(folder, part);
      if (this.#real.has(folder)) continue;
      if ((await isReal(folder)) === undefined) await this.#add(folder);
      this.#real.add(folder);
    }
    return folder;
  }

  /** The same for what is there by now; makes nothing. */
  async check(path: readonly string[]): Promise<void> {
    let folder = this.#root;
    for (const part of path.slice(0, -1)) {
      folder = join(folder, part);
      if (this.#real.has(folder)) continue;
      if ((await isReal(folder)) === undefined) return;
      this.#real.add(folder);
    }
  }

  /** Is there a regular file at `path`, reached through no link? */
  async holdsFile(path: readonly string[]): Promise<boolean> {
    try {
      await this.check(path);
      return (await lstat(join(this.#root, ...path))).isFile();
    } catch {
      return false;
    }
  }

  async #add(folder: string): Promise<void> {
    await mkdir(folder).catch(async (cause: NodeJS.ErrnoException) => {
      // somebody else was faster, with a folder or with a link
      if (cause.code !== "EEXIST" || (await isReal(folder)) === undefined) throw unwritable(folder, cause);
    });
  }
}

/** True for a folder, undefined for nothing; rejects where it is something else. */
async function isReal(folder: string): Promise<true | undefined> {
  const found = await lstat(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw unwritable(folder, cause);
  });
  if (found === undefined) return undefined;
  if (found.isDirectory()) return true;
  const what = found.isSymbolicLink() ? "is a symbolic link, and not written through" : "is no folder";
  throw new SkimmerError("output_unwritable", `cannot write into ${folder}: it ${what}`, {
    hint: "Move it away, or choose another folder with -o.",
  });
}
