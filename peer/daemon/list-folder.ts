/**
 * What a folder at an origin holds. Drives: sources that can list are asked; a web server's index page is read and its
 * links are taken.
 */
import type { Origin, OriginListing, OriginRequest, SharedOrigin } from "../../origin/types.ts";
import { SkimmerError } from "../../system/errors.ts";
import { pageLinks } from "./page-links.ts";

export type { OriginListing };

const MAX_PAGE_BYTES = 8 * 1024 * 1024;
const MAX_ENTRIES = 10_000;

/** One level of the folder. Rejects with SkimmerError origin_*, or `bad_request` where the address is no folder. */
export async function listFolder(origin: SharedOrigin, request: OriginRequest, options: { signal: AbortSignal }): Promise<OriginListing> {
  const { protocol, pathname } = new URL(request.url);
  if (protocol !== "http:" && protocol !== "https:") return origin.list(request, { ...options, most: MAX_ENTRIES });
  if (!pathname.endsWith("/"))
    throw new SkimmerError("bad_request", `${pathname} is no folder`, { hint: "The address of a folder ends with a slash." });
  const html = await readPage(origin, request, options.signal);
  const entries = pageLinks(html, { url: request.url, most: MAX_ENTRIES + 1 });
  return { entries: entries.slice(0, MAX_ENTRIES), truncated: entries.length > MAX_ENTRIES };
}

async function readPage(origin: Origin, request: OriginRequest, signal: AbortSignal): Promise<string> {
  const { validators, lengthBytes } = await origin.probe(request, { signal });
  if ((lengthBytes ?? 0) > MAX_PAGE_BYTES) throw tooLong();
  if (lengthBytes === 0) return "";
  const chunks: Buffer[] = [];
  let total = 0;
  const sink = (chunk: Buffer): void => {
    total += chunk.length;
    if (total > MAX_PAGE_BYTES) throw tooLong();
    // the chunk's memory is the origin's
    chunks.push(Buffer.from(chunk));
  };
  const lastByte = lengthBytes === undefined ? undefined : lengthBytes - 1;
  await origin.read(request, { firstByte: 0, lastByte, validators }, sink, { signal });
  return Buffer.concat(chunks).toString("utf8");
}

function tooLong(): SkimmerError {
  return new SkimmerError("origin_failed", `the folder's page is longer than ${MAX_PAGE_BYTES} bytes`, {
    hint: "Give the files' own URLs.",
  });
}
