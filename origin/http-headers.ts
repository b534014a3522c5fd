/**
 * Reading of an origin's response headers. Decides; everything here comes from a stranger.
 */
import type { Validators } from "../torrents/task-api.ts";

export type HeaderBag = Readonly<Record<string, string | string[] | undefined>>;

export function headerText(headers: HeaderBag, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}

/** A non-negative whole number, or undefined. */
export function headerLength(headers: HeaderBag, name: string): number | undefined {
  const text = headerText(headers, name);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

export interface ContentRange {
  readonly firstByte: number;
  readonly lastByte: number;
  readonly totalBytes: number | undefined;
}

/** `bytes 0-99/1000` or with an unknown total; undefined where it is malformed. */
export function parseContentRange(text: string | undefined): ContentRange | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(text ?? "");
  if (match === null) return undefined;
  return { firstByte: Number(match[1]), lastByte: Number(match[2]), totalBytes: match[3] === "*" ? undefined : Number(match[3]) };
}

/** The total of `bytes (asterisk)/1000`, which comes with 416. */
export function parseUnsatisfiedRange(text: string | undefined): number | undefined {
  const match = /^bytes \*\/(\d{1,15})$/.exec(text ?? "");
  return match === null ? undefined : Number(match[1]);
}

export function readValidators(headers: HeaderBag): Validators {
  return { etag: headerText(headers, "etag")?.slice(0, 1024), lastModified: headerText(headers, "last-modified")?.slice(0, 128) };
}

/** What If-Range may carry: a strong ETag, else a date (RFC 9110 13.1.5). */
export function ifRangeValue(validators: Validators): string | undefined {
  if (validators.etag !== undefined && !validators.etag.startsWith("W/")) return validators.etag;
  return validators.etag === undefined ? validators.lastModified : undefined;
}

/** Whether a response is surely of another version than the one that we began with. */
export function isOtherVersion(expected: Validators, headers: HeaderBag): boolean {
  const found = readValidators(headers);
  if (expected.etag !== undefined && found.etag !== undefined) return opaque(expected.etag) !== opaque(found.etag);
  if (expected.lastModified !== undefined && found.lastModified !== undefined) return expected.lastModified !== found.lastModified;
  return false;
}

function opaque(etag: string): string {
  return etag.replace(/^W\//, "");
}

/** Words that, as a part of a header's name, tell that it proves who the caller is: `X-Api-Key`, `Private-Token`, `X-Auth`. */
const CREDENTIAL_WORDS = new Set(
  "apikey auth authentication authorization bearer cookie credential credentials jwt key passwd password secret session sessionid sig signature token".split(
    " ",
  ),
);

/** Whether a request header proves who the caller is. */
export function isCredential(name: string): boolean {
  return name
    .toLowerCase()
    .split(/[-_.]/)
    .some((word) => CREDENTIAL_WORDS.has(word) || /token$|secret$/.test(word));
}

/** Whether credentials meant for one URL may go to the other: the same origin, or its own https. */
export function mayShareCredentials(from: URL, to: URL): boolean {
  if (from.origin === to.origin) return true;
  const upgraded = from.protocol === "http:" && to.protocol === "https:" && from.port === "" && to.port === "";
  return upgraded && from.hostname === to.hostname;
}

/** The user and password of a URL as a header value (RFC 7617), or undefined. */
export function basicAuthorization(url: URL): string | undefined {
  if (url.username === "" && url.password === "") return undefined;
  const plain = `${decodePart(url.username)}:${decodePart(url.password)}`;
  return `Basic ${Buffer.from(plain).toString("base64")}`;
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A URL for messages and logs: neither user, nor password, nor query, where signatures are. */
export function shownUrl(text: string): string {
  if (!URL.canParse(text)) return "the URL";
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname}`;
}
