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

const CREDENTIAL_HEADERS = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "x-amz-security-token",
  "private-token",
  "x-api-key",
]);

/** Whether a request header proves who the caller is. */
export function isCredential(name: string): boolean {
  return CREDENTIAL_HEADERS.has(name.toLowerCase());
}
