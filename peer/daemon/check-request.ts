/**
 * Checks of what a caller asks for, one value each, used by dfget before anything starts and by the daemon again.
 * URL and header syntax are those of ../../torrents/parse-task-request.ts. Decides.
 * Throws SkimmerError `bad_request` or `unsupported_scheme`; header values never enter a message.
 */
import { SkimmerError } from "../../system/errors.ts";
import { parseRate } from "../../system/units.ts";
import { BLOCK_BYTES, LEAST_WISHED_PIECE_BYTES, MAX_PIECE_BYTES } from "../../torrents/geometry.ts";
import { parseHeaders } from "../../torrents/parse-task-request.ts";
import type { Pattern } from "./daemon-api.ts";

const MAX_HEADER_BYTES = 64 * 1024;
const MAX_LABEL_LENGTH = 256;
const MAX_FILTERS = 50;
const MAX_LINK_LENGTH = 2048;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const PRINTABLE = /^[^\u0000-\u001f\u007f]*$/;
/** Headers that describe the connection or the range; the transfer sets them itself. */
const OWN_HEADERS = new Set(["connection", "content-length", "transfer-encoding", "te", "upgrade", "expect", "range", "if-range"]);

/** `Name: value` lines as one record; a repeated name is joined as RFC 9110 5.3 says. */
export function checkHeaderLines(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) throw bad("a header has no name or no colon", "Write --header 'Name: value'.");
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}${name === "cookie" ? "; " : ", "}${value}`;
  }
  return checkHeaders(headers);
}

/** Headers within bounds, with lower-case names, none of which the transfer sets itself. */
export function checkHeaders(value: unknown): Record<string, string> {
  const headers = parseHeaders(value);
  let bytes = 0;
  for (const [name, text] of Object.entries(headers)) {
    bytes += name.length + text.length;
    if (OWN_HEADERS.has(name))
      throw bad(`header ${name} cannot be given`, name === "range" ? "Use --range." : "The transfer sets it itself.");
  }
  if (bytes > MAX_HEADER_BYTES) throw bad(`the headers have ${bytes} bytes`, `At most ${MAX_HEADER_BYTES} are accepted.`);
  return headers;
}

/** `sha256:HEX` in lower case. */
export function checkDigest(text: string): string {
  const lower = text.trim().toLowerCase();
  if (!/^sha256:[0-9a-f]{64}$/.test(lower)) throw bad(`"${clip(text)}" is not a digest`, "Write sha256: and 64 hexadecimal digits.");
  return lower;
}

/** 32 hexadecimal digits in lower case. */
export function checkMd5(text: string): string {
  const lower = text.trim().toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(lower)) throw bad(`"${clip(text)}" is not an MD5 sum`, "Write 32 hexadecimal digits.");
  return lower;
}

/** `FIRST-LAST` in bytes, inclusive. */
export function checkRange(text: string): { firstByte: number; lastByte: number } {
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(text);
  const firstByte = Number(match?.[1]);
  const lastByte = Number(match?.[2]);
  if (match === null || lastByte < firstByte)
    throw bad(`"${clip(text)}" is not a byte range`, "Write FIRST-LAST, both inclusive, for example 0-1023.");
  return { firstByte, lastByte };
}

/** A power of two within the bounds of geometry.ts. */
export function checkPieceLength(bytes: number): number {
  const sane = Number.isInteger(bytes) && bytes >= LEAST_WISHED_PIECE_BYTES && bytes <= MAX_PIECE_BYTES && (bytes & (bytes - 1)) === 0;
  if (!sane) throw bad(`${bytes} is not a piece length`, "Give a power of two from 64 KiB to 16 MiB.");
  return bytes;
}

/** A power of two, as BEP 52 wants it. */
export function checkTorrentPieceLength(bytes: number): number {
  const sane = Number.isInteger(bytes) && bytes >= BLOCK_BYTES && bytes <= MAX_PIECE_BYTES && (bytes & (bytes - 1)) === 0;
  if (!sane) throw bad(`${bytes} is not a piece length of a torrent`, "Give a power of two from 16 KiB to 16 MiB.");
  return bytes;
}

/** URL of a tracker: http, https, udp, ws or wss. */
export function checkTracker(text: string): string {
  if (!/^(https?|udp|wss?):\/\//i.test(text) || !URL.canParse(text) || text.length > MAX_LINK_LENGTH)
    throw bad(`"${clip(text)}" is not a tracker`, "Write http://HOST/announce or udp://HOST:PORT.");
  return text;
}

/** URL of a server that has the content (BEP 19). */
export function checkWebSeed(text: string): string {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text) || text.length > MAX_LINK_LENGTH)
    throw bad(
      `"${clip(text)}" is not a web seed`,
      "Write the URL of the file, or of the folder that the torrent's folder is in, with a slash.",
    );
  return text;
}

/** A short printable label. */
export function checkTag(text: string): string {
  if (text.length > MAX_LABEL_LENGTH || !PRINTABLE.test(text))
    throw bad("the tag is too long or not printable", `At most ${MAX_LABEL_LENGTH} printable characters.`);
  return text;
}

/** Names of query parameters. */
export function checkFilter(names: readonly string[]): string[] {
  const sane = names.length <= MAX_FILTERS && names.every((name) => name !== "" && name.length <= MAX_LABEL_LENGTH);
  if (!sane) throw bad("the filter has empty, long or too many names", "Write the names of query parameters, joined by &.");
  return [...names];
}

const PATTERNS: readonly Pattern[] = ["p2p", "cdn", "source"];

/** From everybody, from the cluster's seeders only, or straight from the origin. */
export function checkPattern(text: string): Pattern {
  const pattern = PATTERNS.find((name) => name === text);
  if (pattern === undefined) throw bad(`"${clip(text)}" is not a pattern`, `One of ${PATTERNS.join(", ")}.`);
  return pattern;
}

const LEVELS: Readonly<Record<string, number>> = { high: 0, normal: 3, low: 6 };
export const NORMAL_PRIORITY = LEVELS.normal;

/** 0 (most urgent) to 6, as v2 counts them (`LEVEL3` too), or a word. */
export function checkPriority(text: string): number {
  const level = LEVELS[text.toLowerCase()] ?? (/^(?:level)?[0-6]$/i.test(text) ? Number(text.at(-1)) : undefined);
  if (level === undefined) throw bad(`"${clip(text)}" is not a priority`, "Write 0 (most urgent) to 6, or high, normal, low.");
  return level;
}

/** `low=5MB,4=20MB`: a rate for each priority, added to those of earlier mentions. */
export function parseClassRate(text: string, previous: unknown): ReadonlyMap<number, number> {
  const rates = new Map((previous as ReadonlyMap<number, number> | undefined) ?? []);
  for (const part of text.split(",")) {
    const [level, rate, ...rest] = part.split("=");
    if (rate === undefined || rest.length > 0)
      throw bad(`"${clip(part)}" is not a priority with a rate`, "Write LEVEL=RATE, for example low=5MB.");
    rates.set(checkPriority(level.trim()), parseRate(rate));
  }
  return rates;
}

/** A supernode and its share of the downloads; undefined: it stands where it was named. */
export interface WeightedSupernode {
  readonly url: string;
  readonly weight: number | undefined;
}

/** Reads what checkSupernode() answers. */
export function readSupernode(text: string): WeightedSupernode {
  const match = WEIGHT.exec(text);
  return match === null ? { url: text, weight: undefined } : { url: text.slice(0, match.index), weight: Number(match[1]) };
}

const WEIGHT = /=(\d{1,6})$/;

/**
 * Base URL of a supernode, without a slash at its end; `host` and `host:port` mean http and port 8002. A weight (`host=3`)
 * stays behind it.
 */
export function checkSupernode(given: string): string {
  const { url: text, weight } = readSupernode(given);
  if (weight === 0) throw bad(`"${clip(given)}" has the weight 0`, "Leave the supernode out, or give it a weight of 1 or more.");
  return weight === undefined ? checkSupernodeUrl(text) : `${checkSupernodeUrl(text)}=${weight}`;
}

function checkSupernodeUrl(text: string): string {
  const full = /^https?:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.parse(full);
  if (url === null || url.hostname === "" || url.search !== "" || url.hash !== "") {
    throw bad(`"${clip(text)}" is not a supernode address`, "Write http://host:8002 or host:8002.");
  }
  if (full !== text && !/:\d+\/?$/.test(text)) url.port = "8002";
  return url.href.replace(/\/+$/, "");
}

function bad(message: string, hint: string): SkimmerError {
  return new SkimmerError("bad_request", message, { hint });
}

function clip(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
