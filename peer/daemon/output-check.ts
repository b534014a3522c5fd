/**
 * What is at the output path, found out before anything is downloaded. Drives.
 * Says clearly why an output cannot be written; symbolic links are followed, so that the file they name is replaced.
 */
import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { SkimmerError } from "../../system/errors.ts";

export type OutputTarget =
  /** A regular file, there or not: written under a temporary name beside it and renamed. */
  | { readonly kind: "file"; readonly path: string; readonly folder: string }
  /** A device or pipe (/dev/null, /dev/stdout): written into. */
  | { readonly kind: "stream"; readonly path: string };

/** Rejects with SkimmerError `output_unwritable`. */
export async function checkOutput(path: string): Promise<OutputTarget> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw unwritable(path, error);
  });
  if (found?.isDirectory())
    throw new SkimmerError("output_unwritable", `cannot write ${path}: it is a folder`, { hint: "Give a file name with -o." });
  if (found !== undefined && !found.isFile()) {
    await access(path, constants.W_OK).catch((error) => Promise.reject(unwritable(path, error)));
    return { kind: "stream", path };
  }
  const real = found === undefined ? path : await realpath(path);
  const folder = dirname(real);
  await checkFolder(path, folder);
  return { kind: "file", path: real, folder };
}

async function checkFolder(path: string, folder: string): Promise<void> {
  const found = await stat(folder).catch((error) => Promise.reject(unwritable(path, error)));
  if (!found.isDirectory()) throw new SkimmerError("output_unwritable", `cannot write ${path}: ${folder} is not a folder`);
  await access(folder, constants.W_OK | constants.X_OK).catch((error) => Promise.reject(unwritable(path, error)));
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "its folder does not exist",
  ENOTDIR: "a part of the path is not a folder",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many symbolic links",
};

/** An error of the file system about the output, as SkimmerError `output_unwritable` or `disk_full`. */
export function unwritable(path: string, cause: unknown): SkimmerError {
  const code = (cause as NodeJS.ErrnoException)?.code ?? "";
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new SkimmerError("disk_full", `cannot write ${path}: no space left on its disk`, {
      hint: "Free some space and run the same command again.",
      cause,
    });
  }
  const reason = REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new SkimmerError("output_unwritable", `cannot write ${path}: ${reason}`, { cause });
}
