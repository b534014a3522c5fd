/**
 * Checks the body of `POST /api/v1/tasks`, once, at the edge. Decides.
 */
import { isIP } from "node:net";
import { SkimmerError } from "../system/errors.ts";
import { LEAST_WISHED_PIECE_BYTES, MAX_PIECE_BYTES } from "./geometry.ts";
import { parsePeerId } from "./ids.ts";
import { parseOriginTls } from "./origin-tls.ts";
import { fieldReader } from "./parse-fields.ts";
import type { TaskRequest } from "./task-api.ts";

const MOST_URL = 8192;
const MOST_HEADERS = 100;
const MOST_LABEL = 64;
const MOST_LOCATION = 512;
const MOST_ADDRESS = 45;
const MOST_HEADER_VALUE = 16384;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
/** What Node sends without complaint: latin1 without control characters. */
const HEADER_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;
/** What origin/ has a back end for. Whether it may be read is decided where it is read. */
const SCHEMES: ReadonlySet<string> = new Set(["http:", "https:", "s3:", "hdfs:", "webhdfs:", "swebhdfs:", "file:"]);
const read = fieldReader("bad_request", "task request");

/** Throws SkimmerError `bad_request` or `unsupported_scheme`, with what to change. */
export function parseTaskRequest(body: unknown): TaskRequest {
  const fields = read.object(body, "body");
  return {
    url: checkUrl(read.text(fields.url, "url", MOST_URL)),
    headers: parseHeaders(fields.headers),
    digest: checkMatch(read.optionalText(fields.digest, "digest", 80), "digest", /^sha256:[0-9a-f]{64}$/, "sha256: and 64 hex digits"),
    tag: read.optionalText(fields.tag, "tag", 256),
    filter: fields.filter === undefined ? undefined : read.list(fields.filter, "filter", 50).map((name) => read.text(name, "filter", 256)),
    range: parseRange(read.optionalText(fields.range, "range", 40)),
    tls: parseOriginTls(fields.tls),
    pieceLengthBytes: parsePieceLength(fields.pieceLengthBytes),
    peer: parsePeer(fields.peer),
  };
}

/** The URL as given, when we can fetch it. */
export function checkUrl(text: string): string {
  if (!URL.canParse(text))
    throw new SkimmerError("bad_request", `cannot read the URL "${text}"`, { hint: "Give a full URL such as https://host/path/file." });
  const { protocol } = new URL(text);
  if (SCHEMES.has(protocol)) return text;
  throw new SkimmerError("unsupported_scheme", `cannot fetch "${text}": the scheme ${protocol} is not supported`, {
    hint: `Use one of ${[...SCHEMES].join(" ")}`,
  });
}

/** Header names and values that may be sent to an origin as they are. */
export function parseHeaders(value: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  const entries = Object.entries(read.object(value ?? {}, "headers"));
  if (entries.length > MOST_HEADERS) read.fail("headers", `at most ${MOST_HEADERS} headers`);
  for (const [name, content] of entries) {
    const text = read.text(content, `header ${name}`, MOST_HEADER_VALUE);
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(text)) read.fail(`header ${JSON.stringify(name)}`, "a valid HTTP header");
    headers[name.toLowerCase()] = text;
  }
  return headers;
}

function checkMatch(text: string | undefined, field: string, pattern: RegExp, wanted: string): string | undefined {
  if (text === undefined || pattern.test(text)) return text;
  return read.fail(field, wanted);
}

function parseRange(text: string | undefined): string | undefined {
  checkMatch(text, "range", /^\d{1,15}-\d{1,15}$/, "FIRST-LAST in bytes");
  const [firstByte, lastByte] = text?.split("-").map(Number) ?? [0, 0];
  return lastByte < firstByte ? read.fail("range", `FIRST-LAST, but ${text} ends before it begins`) : text;
}

function parsePieceLength(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const length = read.integer(value, "pieceLengthBytes", { least: LEAST_WISHED_PIECE_BYTES, most: MAX_PIECE_BYTES });
  return (length & (length - 1)) === 0 ? length : read.fail("pieceLengthBytes", "a power of two");
}

function parsePeer(value: unknown): TaskRequest["peer"] {
  if (value === undefined) return undefined;
  const peer = read.object(value, "peer");
  const id = parsePeerId(read.text(peer.id, "peer.id", 40)) ?? read.fail("peer.id", "40 hex digits");
  return {
    id,
    port: read.integer(peer.port, "peer.port", { least: 1, most: 65535 }),
    host: parsePeerHost(read.optionalText(peer.host, "peer.host", MOST_ADDRESS)),
    idc: read.optionalText(peer.idc, "peer.idc", MOST_LABEL),
    location: read.optionalText(peer.location, "peer.location", MOST_LOCATION),
  };
}

function parsePeerHost(host: string | undefined): string | undefined {
  return host === undefined || isIP(host) !== 0 ? host : read.fail("peer.host", "an IP address");
}
