/**
 * Whether a chunk of a connection is one whole, plain GET of an announce or scrape, and where it ends. Decides. Hot path.
 *
 * Everything else (other paths, bodies, upgrades, requests in pieces) is node's HTTP server's business: this answers `other` and nobody
 * has to parse HTTP here. Invariant: a request that is taken has no body, so that the next one begins where it ends.
 */
import { kindOfTarget } from "./http-query.ts";

export interface RequestSpan {
  kind: "announce" | "scrape" | "other";
  /** The target's bytes. */
  start: number;
  end: number;
  /** Where the next request begins. */
  next: number;
  /** The connection goes on afterwards. */
  keepAlive: boolean;
}

const GET = [..."GET "].map((char) => char.charCodeAt(0));
const [CR, LF, SPACE, ONE] = [0x0d, 0x0a, 0x20, 0x31];
const MOST_REQUEST_BYTES = 8192;
/** A header with one of these means more than an announce does. */
const FOREIGN = ["content-length:", "transfer-encoding:", "upgrade:", "expect:"];
const CONNECTION = "connection:";
const VERSION_BYTES = "HTTP/1.1".length;

/** Looks at the request that begins at `from`; the answer is written into `span`. */
export function readRequest(bytes: Buffer, from: number, span: RequestSpan): void {
  span.kind = "other";
  for (const [index, code] of GET.entries()) if (bytes[from + index] !== code) return;
  const start = from + GET.length;
  const most = Math.min(bytes.length, from + MOST_REQUEST_BYTES);
  let end = start;
  while (end < most && bytes[end] > SPACE) end++;
  if (bytes[end] !== SPACE || end + 1 + VERSION_BYTES + 2 > most) return;
  const kind = kindOfTarget(bytes, start, end);
  if (kind === "other") return;
  const line = end + 1 + VERSION_BYTES;
  if (bytes[line] !== CR || bytes[line + 1] !== LF) return;
  span.keepAlive = bytes[line - 1] === ONE;
  const next = readHeaders(bytes, line + 2, most, span);
  if (next < 0) return;
  span.kind = kind;
  span.start = start;
  span.end = end;
  span.next = next;
}

/** The end of the headers; -1 where it is not there, or one of them is foreign. */
function readHeaders(bytes: Buffer, from: number, most: number, span: RequestSpan): number {
  let at = from;
  while (at + 1 < most) {
    if (bytes[at] === CR) return bytes[at + 1] === LF ? at + 2 : -1;
    for (const name of FOREIGN) if (beginsWith(bytes, at, name)) return -1;
    if (beginsWith(bytes, at, CONNECTION)) readConnection(bytes, at + CONNECTION.length, span);
    const lineEnd = bytes.indexOf(LF, at);
    if (lineEnd < 0) return -1;
    at = lineEnd + 1;
  }
  return -1;
}

function readConnection(bytes: Buffer, from: number, span: RequestSpan): void {
  let at = from;
  while (bytes[at] === SPACE) at++;
  if (beginsWith(bytes, at, "close")) span.keepAlive = false;
  else if (beginsWith(bytes, at, "keep-alive")) span.keepAlive = true;
}

/** `text` is in lower case. */
function beginsWith(bytes: Buffer, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = bytes[at + index];
    const lower = code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
    if (lower !== text.charCodeAt(index)) return false;
  }
  return true;
}
