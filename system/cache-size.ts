/**
 * The size of a cache as people write it: bytes, or a share of the file system. Decides.
 */
import { SkimmerError } from "./errors.ts";
import { parseBytes } from "./units.ts";

/** Bytes, or a share of the file system. */
export type CacheSize = { readonly bytes: number } | { readonly share: number };

/** `100GB`, `80%`. Throws SkimmerError `bad_request`. */
export function parseCacheSize(text: string): CacheSize {
  return text.trim().endsWith("%") ? { share: parsePercent(text) } : { bytes: parseBytes(text) };
}

/** `80%` as 0.8. Throws SkimmerError `bad_request`. */
export function parsePercent(text: string): number {
  const match = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text.trim());
  const percent = Number(match?.[1]);
  if (match !== null && percent <= 100) return percent / 100;
  throw new SkimmerError("bad_request", `cannot read the share "${text}"`, { hint: "Write it as 80% (0% to 100%)." });
}
