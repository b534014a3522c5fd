/**
 * Objects of S3 and of what speaks its protocol: `s3://BUCKET/KEY`, with `?versionId=…` for an old version. Drives.
 *
 * The SDK finds endpoint and credentials, and signs; the bytes come through the http back end like all others, with its
 * checks, proxies and time limits. A caller may bring credentials of his own in `x-s3-…` headers; else those of this process
 * count, for the allowed buckets.
 */
import { SkimmerError } from "../system/errors.ts";
import { safeName } from "../torrents/safe-name.ts";
import type { S3Access, S3Object, S3Settings } from "./s3-client.ts";
import type { AskOptions, ChunkSink, Origin, OriginEntry, OriginListing, OriginRequest, Probe, ReadRange } from "./types.ts";
import { lastSegment, plainPath } from "./url-path.ts";

export interface S3OriginOptions extends S3Settings {
  /** Reads http and https. */
  readonly http: Origin;
  /** Buckets that may be read with this process's credentials; absent or empty: all. */
  readonly buckets?: readonly string[];
}

/** An address is used for this long: well below the time for which it is signed. */
const ADDRESS_MS = 30 * 60_000;
const MOST_ADDRESSES = 1000;
/** Clients of callers with their own credentials; the oldest goes first. */
const MOST_CLIENTS = 50;
const KEY_HEADER = "x-s3-access-key-id";
const SECRET_HEADER = "x-s3-secret-access-key";
const TOKEN_HEADER = "x-s3-session-token";
const OWN_HEADERS = [KEY_HEADER, SECRET_HEADER, TOKEN_HEADER];

export function openS3Origin(options: S3OriginOptions): Origin {
  return new S3Origin(options);
}

class S3Origin implements Origin {
  readonly #options: S3OriginOptions;
  readonly #clients = new Map<string, Promise<S3Access>>();
  readonly #addresses = new Map<string, { readonly url: string; readonly atMs: number }>();

  constructor(options: S3OriginOptions) {
    this.#options = options;
  }

  async probe(request: OriginRequest, options: AskOptions): Promise<Probe> {
    const { key } = this.#objectOf(request);
    const probe = await this.#ask(request, (signed) => this.#options.http.probe(signed, options));
    return { ...probe, name: lastSegment(key) };
  }

  async read(request: OriginRequest, range: ReadRange, sink: ChunkSink, options: AskOptions): Promise<void> {
    await this.#ask(request, (signed) => this.#options.http.read(signed, range, sink, options));
  }

  async list(request: OriginRequest, options: AskOptions & { readonly most: number }): Promise<OriginListing> {
    const { bucket, key } = this.#placeOf(request);
    const prefix = key === "" || key.endsWith("/") ? key : `${key}/`;
    const client = await this.#client(request, bucket);
    const entries: OriginEntry[] = [];
    let next: string | undefined;
    do {
      const page = await client
        .listPage({ bucket, prefix, next }, options.signal)
        .catch((error) => Promise.reject(asOriginError(error, request)));
      options.onAnswer?.(200);
      for (const name of page.prefixes) entries.push(entryOf(bucket, { key: name, prefix, lengthBytes: undefined }));
      // a key that is the prefix itself only marks the folder
      for (const { key: name, lengthBytes } of page.objects)
        if (name !== prefix) entries.push(entryOf(bucket, { key: name, prefix, lengthBytes }));
      next = page.next;
    } while (next !== undefined && entries.length <= options.most);
    const truncated = next !== undefined || entries.length > options.most;
    return { entries: entries.slice(0, options.most).sort((a, b) => (a.name < b.name ? -1 : 1)), truncated };
  }

  async close(): Promise<void> {
    for (const client of await Promise.allSettled(this.#clients.values())) if (client.status === "fulfilled") client.value.close();
  }

  /** Asks with a signed address; where it is refused, once more with a fresh one. */
  async #ask<T>(request: OriginRequest, ask: (signed: OriginRequest) => Promise<T>): Promise<T> {
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !OWN_HEADERS.includes(name.toLowerCase())));
    const { url, isFresh } = await this.#addressOf(request);
    try {
      return await ask({ ...request, url, headers });
    } catch (error) {
      this.#addresses.delete(keyOf(request));
      if (isFresh || !(error instanceof SkimmerError) || error.code !== "origin_refused") throw error;
      return ask({ ...request, url: (await this.#addressOf(request)).url, headers });
    }
  }

  async #addressOf(request: OriginRequest): Promise<{ url: string; isFresh: boolean }> {
    const key = keyOf(request);
    const known = this.#addresses.get(key);
    const nowMs = performance.now();
    if (known !== undefined && nowMs - known.atMs < ADDRESS_MS) return { url: known.url, isFresh: false };
    const object = this.#objectOf(request);
    const client = await this.#client(request, object.bucket);
    const url = await client.sign(object).catch((error) => Promise.reject(asOriginError(error, request)));
    this.#addresses.delete(key);
    this.#addresses.set(key, { url, atMs: nowMs });
    const [oldest] = this.#addresses.keys();
    if (this.#addresses.size > MOST_ADDRESSES) this.#addresses.delete(oldest);
    return { url, isFresh: true };
  }

  #placeOf(request: OriginRequest): S3Object {
    const { hostname, searchParams } = new URL(request.url);
    const versionId = searchParams.get("versionId") ?? undefined;
    if (hostname === "") throw new SkimmerError("bad_request", `${request.url} names no bucket`, { hint: "Write s3://BUCKET/KEY." });
    return { bucket: hostname, key: plainPath(request.url).slice(1), ...(versionId === undefined ? {} : { versionId }) };
  }

  #objectOf(request: OriginRequest): S3Object {
    const place = this.#placeOf(request);
    if (place.key !== "" && !place.key.endsWith("/")) return place;
    throw new SkimmerError("bad_request", `${request.url} names no object`, { hint: "Write s3://BUCKET/KEY." });
  }

  /** The SDK's client for the caller's credentials, or for ours. */
  async #client(request: OriginRequest, bucket: string): Promise<S3Access> {
    const { buckets = [], http: _http, ...settings } = this.#options;
    const own = ownCredentials(request);
    if (own === undefined && buckets.length > 0 && !buckets.includes(bucket)) {
      throw new SkimmerError("origin_refused", `the bucket ${bucket} is not one of those that may be read`, {
        hint: "Allow it where it is read (seeder, dfdaemon): --s3-bucket NAME.",
      });
    }
    const key = JSON.stringify(own ?? null);
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    const opening = import("./s3-client.ts").then(
      ({ S3Access }) => new S3Access({ ...settings, credentials: own ?? settings.credentials }),
    );
    this.#clients.set(key, opening);
    const [oldest] = [...this.#clients.keys()].filter((other) => other !== "null");
    if (this.#clients.size > MOST_CLIENTS) this.#clients.delete(oldest);
    return opening;
  }
}

function keyOf(request: OriginRequest): string {
  return JSON.stringify([request.url, ownCredentials(request) ?? null]);
}

/** The credentials that a caller sends along. Throws SkimmerError `bad_request` where a part is missing. */
function ownCredentials(request: OriginRequest) {
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const { [KEY_HEADER]: accessKeyId, [SECRET_HEADER]: secretAccessKey, [TOKEN_HEADER]: sessionToken } = headers;
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw new SkimmerError("bad_request", `${KEY_HEADER} and ${SECRET_HEADER} must come together`);
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

function entryOf(bucket: string, found: { key: string; prefix: string; lengthBytes: number | undefined }): OriginEntry {
  const isDirectory = found.key.endsWith("/");
  const url = `s3://${bucket}/${found.key.split("/").map(encodeURIComponent).join("/")}`;
  return { name: safeName(found.key.slice(found.prefix.length).replace(/\/$/, "")), url, isDirectory, lengthBytes: found.lengthBytes };
}

function asOriginError(thrown: unknown, request: OriginRequest): unknown {
  const error = thrown as Error & { $metadata?: { httpStatusCode?: number } };
  if (thrown instanceof SkimmerError || error.name === "AbortError") return thrown;
  const status = error.$metadata?.httpStatusCode;
  const place = new URL(request.url).hostname;
  if (error.name === "CredentialsProviderError") {
    return new SkimmerError("origin_refused", `there are no credentials to read the bucket ${place}`, {
      hint: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE) where it is read, or send x-s3-access-key-id and x-s3-secret-access-key.",
      cause: thrown,
    });
  }
  const text = `the S3 service says ${error.name} for the bucket ${place}`;
  if (status === 401 || status === 403) return new SkimmerError("origin_refused", text, { status, cause: thrown });
  if (status === 404) return new SkimmerError("origin_not_found", text, { status, cause: thrown });
  return new SkimmerError(status === undefined ? "origin_unreachable" : "origin_failed", text, { status, retriable: true, cause: thrown });
}
