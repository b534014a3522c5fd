/**
 * Checks AWS Signature Version 4 of a request, in headers or presigned, from Amazon's description of it. s3rver itself
 * takes any V4 signature for good.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

interface Signed {
  /** `KEY/DATE/REGION/SERVICE/aws4_request`. */
  readonly credential: string;
  readonly date: string;
  readonly headers: string;
  readonly signature: string;
  readonly payload: string;
}

/** True where the request was signed with the secret of that key, and (presigned) has not expired. */
export function isSignedBy(request: IncomingMessage, keys: ReadonlyMap<string, string>): boolean {
  const url = new URL(request.url ?? "/", "http://host");
  const signed = url.searchParams.has("X-Amz-Signature") ? presigned(url) : inHeaders(request);
  const [key = "", ...scope] = signed?.credential.split("/") ?? [];
  const secret = keys.get(key);
  if (signed === undefined || secret === undefined || isExpired(url, signed.date)) return false;
  const canonical = [
    request.method,
    url.pathname,
    canonicalQuery(url),
    ...signed.headers.split(";").map(
      (name) =>
        `${name}:${String(request.headers[name] ?? "")
          .trim()
          .replace(/ +/g, " ")}`,
    ),
    "",
    signed.headers,
    signed.payload,
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", signed.date, scope.join("/"), createHash("sha256").update(canonical).digest("hex")].join("\n");
  const signingKey = scope.reduce<Buffer>((last, part) => hmac(last, part), Buffer.from(`AWS4${secret}`));
  const expected = hmac(signingKey, text).toString("hex");
  return expected.length === signed.signature.length && timingSafeEqual(Buffer.from(expected), Buffer.from(signed.signature));
}

function presigned({ searchParams }: URL): Signed {
  const get = (name: string): string => searchParams.get(name) ?? "";
  return {
    credential: get("X-Amz-Credential"),
    date: get("X-Amz-Date"),
    headers: get("X-Amz-SignedHeaders"),
    signature: get("X-Amz-Signature"),
    payload: "UNSIGNED-PAYLOAD",
  };
}

function inHeaders({ headers }: IncomingMessage): Signed | undefined {
  const match = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(headers.authorization ?? "");
  if (match === null) return undefined;
  const [, credential, names, signature] = match;
  return { credential, headers: names, signature, date: String(headers["x-amz-date"]), payload: String(headers["x-amz-content-sha256"]) };
}

function isExpired({ searchParams }: URL, date: string): boolean {
  const seconds = searchParams.get("X-Amz-Expires");
  const iso = date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z");
  return seconds !== null && !(Date.parse(iso) + Number(seconds) * 1000 > Date.now());
}

function canonicalQuery({ searchParams }: URL): string {
  const encode = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return [...searchParams]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join("&");
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
