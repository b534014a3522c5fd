/**
 * The path of a URL in plain characters, and its last segment. Decides.
 */
import { SkimmerError } from "../system/errors.ts";
import { safeName } from "../torrents/safe-name.ts";

/** Throws SkimmerError `bad_request` where an escape is broken. */
export function plainPath(url: string): string {
  try {
    return decodeURIComponent(new URL(url).pathname);
  } catch (cause) {
    throw new SkimmerError("bad_request", `cannot read the path of ${url}`, { hint: "Write % itself as %25.", cause });
  }
}

/** A safe file name. */
export function lastSegment(path: string): string {
  return safeName(path.slice(path.lastIndexOf("/") + 1));
}
