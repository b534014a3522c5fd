/**
 * Header names of the mirror's own, and which headers of others go no further. Decides. docs/mirror.md describes them.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { BytesFrom } from "../peer/engine/types.ts";
import type { HeaderBag } from "../registry/registry-http.ts";

/** hit: all here before · partial: some of it · miss: none · stale: the registry is down · bypass: straight from the registry. */
export type CacheState = "hit" | "partial" | "miss" | "stale" | "bypass";

/** Who the bytes come from as the answer begins. */
export type Source = "store" | "swarm" | "registry";

export interface Provenance {
  readonly cache: CacheState;
  readonly source: Source;
  /** Info hash of the swarm. */
  readonly task?: string | null;
  /** What was known when the answer began. */
  readonly from?: BytesFrom;
}

/** How the answer came to be, as headers. */
export function provenanceHeaders({ cache, source, task, from }: Provenance): Record<string, string> {
  const headers: Record<string, string> = { "x-skimmer-cache": cache, "x-skimmer-source": source };
  if (task !== undefined && task !== null) headers["x-skimmer-task"] = task;
  if (from !== undefined) headers["x-skimmer-from"] = formatShares(from);
  // RFC 7234 5.5: what engines and people know for it
  if (cache === "stale") headers.warning = '110 skimmer "the registry cannot be reached"';
  return headers;
}

/** `cache=10, peers=0, seeder=0, origin=0`, in bytes. */
export function formatShares({ cache, peers, seeder, origin }: BytesFrom): string {
  return `cache=${cache}, peers=${peers}, seeder=${seeder}, origin=${origin}`;
}

/** One answer's own share: what came since it began, the rest was here. */
export function sharesSince(begin: BytesFrom, now: BytesFrom, lengthBytes: number): BytesFrom {
  let left = lengthBytes;
  const take = (bytes: number): number => {
    const taken = Math.min(left, Math.max(0, bytes));
    left -= taken;
    return taken;
  };
  const [peers, seeder, origin] = [now.peers - begin.peers, now.seeder - begin.seeder, now.origin - begin.origin].map(take);
  return { peers, seeder, origin, cache: left };
}

/** Headers that belong to one connection (RFC 9110 7.6.1), and those that the sender sets anew. */
const HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "host",
]);

/** A request's headers as they may go on. */
export function forwardedHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const named = connectionOptions(headers.connection);
  const forwarded: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !HOP.has(name) && !named.has(name)) forwarded[name] = value;
  return forwarded;
}

/** An answer's headers as they may go back. */
export function returnedHeaders(headers: HeaderBag): OutgoingHttpHeaders {
  const named = connectionOptions(headers.connection);
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name, value]) => value !== undefined && !HOP.has(name.toLowerCase()) && !named.has(name.toLowerCase()),
    ),
  );
}

function connectionOptions(value: string | string[] | undefined): Set<string> {
  const text = Array.isArray(value) ? value.join(",") : (value ?? "");
  return new Set(text.split(",").map((name) => name.trim().toLowerCase()));
}
