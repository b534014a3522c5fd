/**
 * What an origin's Cache-Control (RFC 9111) allows a shared cache that asks the origin at every registration. Decides.
 */

/** Longer claims of freshness are not believed. */
const MOST_FRESH_MS = 24 * 3_600_000;

export interface CachePolicy {
  /** For so long a caller whom the origin accepted need not be asked about again; 0: ask each time. */
  readonly freshMs: number;
  /** False: not kept after use. */
  readonly store: boolean;
  /** True: for the callers that the origin accepts, whatever they showed it. */
  readonly private: boolean;
}

/** Reads the header's value; an empty text says nothing. A directive that names single fields counts for the whole. */
export function readCacheControl(text: string): CachePolicy {
  const directives = new Map<string, string>();
  for (const part of text.toLowerCase().split(",")) {
    const [name, value = ""] = part.split("=", 2).map((word) => word.trim());
    if (name !== "" && !directives.has(name)) directives.set(name, value.replaceAll('"', ""));
  }
  const store = !directives.has("no-store");
  const askAlways = !store || directives.has("no-cache");
  const seconds = readSeconds(directives.get("s-maxage") ?? directives.get("max-age"));
  return { freshMs: askAlways ? 0 : Math.min(MOST_FRESH_MS, seconds * 1000), store, private: directives.has("private") };
}

function readSeconds(text: string | undefined): number {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : 0;
}
