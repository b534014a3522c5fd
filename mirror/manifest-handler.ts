/**
 * `GET` and `HEAD /v2/NAME/manifests/REFERENCE`. Drives.
 *
 * By digest: from the store, where the registry let this caller in within the last minute, or does so on being asked, and only what
 * this repository gave before. By tag: the
 * registry is asked at each pull, by HEAD where the manifest is known (Docker Hub counts GETs). Registry down: what was known
 * last, within the grace time, marked so, and only for callers who had it or where anyone may.
 * Invariant: what is kept and given out has its digest.
 */
import { digestOf, hasDigest, isDigest } from "../registry/digest.ts";
import { type Manifest, parseManifest } from "../registry/manifest.ts";
import { MOST_MANIFEST_BYTES } from "../registry/registry-client.ts";
import { type RegistryResponse, readWhole } from "../registry/registry-http.ts";
import type { Clock } from "../system/clock.ts";
import { SkimmerError } from "../system/errors.ts";
import type { Acceptances, AcceptedCaller } from "./acceptances.ts";
import { namesTag } from "./blob-headers.ts";
import type { Exchange } from "./exchange.ts";
import type { KnownImages } from "./known-images.ts";
import type { ManifestStore, StoredManifest, TagName } from "./manifest-store.ts";
import { type CacheState, returnedHeaders } from "./mirror-headers.ts";
import { callerKey, type Upstream } from "./upstream.ts";

export interface ManifestHandlerOptions {
  readonly store: ManifestStore;
  /** Learns what each manifest names. */
  readonly images: KnownImages;
  readonly acceptances: Acceptances;
  readonly clock: Clock;
  readonly epochMs: () => number;
  /** So long what is known may be given out while the registry is down; 0: never. */
  readonly graceMs: number;
}

export interface ManifestTarget {
  readonly upstream: Upstream;
  readonly repository: string;
  /** Tag or digest. */
  readonly reference: string;
}

interface Answer {
  readonly stored: StoredManifest;
  readonly cache: CacheState;
}

const ANSWER_LIMIT_MS = 30_000;
const MOST_OPEN = 20_000;

export class ManifestHandler {
  readonly #options: ManifestHandlerOptions;
  /** Repositories that were read without credentials, and when (milliseconds since 1970). */
  readonly #open = new Map<string, number>();

  constructor(options: ManifestHandlerOptions) {
    this.#options = options;
  }

  /** Whether anyone was let into the repository within the grace time. */
  isOpen(base: string, repository: string): boolean {
    const atMs = this.#open.get(`${base} ${repository}`);
    return atMs !== undefined && this.#options.epochMs() - atMs < this.#options.graceMs;
  }

  /** Answers the request. Rejects with what nobody can help: the registry is unreachable, the caller is gone. */
  async handle(exchange: Exchange, target: ManifestTarget): Promise<void> {
    const stored = await this.#known(exchange, target);
    if (stored !== undefined && isDigest(target.reference) && this.#isFresh(exchange, target))
      return this.#answer(exchange, target, { stored, cache: "hit" });
    let response: RegistryResponse;
    try {
      response = await this.#ask(exchange, target, stored === undefined ? "GET" : "HEAD");
    } catch (thrown) {
      exchange.signal.throwIfAborted();
      if (await this.#stale(exchange, target)) return;
      throw thrown;
    }
    if (response.status >= 500 && (await this.#stale(exchange, target))) {
      response.body.destroy();
      return;
    }
    if (response.status < 200 || response.status > 299) return this.#refused(exchange, target, { response, asked: stored });
    if (stored === undefined) return this.#take(exchange, target, response);
    await response.body.dump();
    const digest = response.headers["docker-content-digest"];
    const current = isDigest(target.reference) ? target.reference : typeof digest === "string" ? digest : undefined;
    if (current === stored.digest) {
      await this.#note(exchange, target, stored);
      return this.#answer(exchange, target, { stored, cache: "hit" });
    }
    const newer = current === undefined || !isDigest(current) ? undefined : await this.#get(target, current);
    if (newer === undefined) return this.#take(exchange, target, await this.#ask(exchange, target, "GET"));
    await this.#note(exchange, target, newer);
    this.#answer(exchange, target, { stored: newer, cache: "hit" });
  }

  /** What the store has under this digest, or what the tag named last. */
  async #known(exchange: Exchange, target: ManifestTarget): Promise<StoredManifest | undefined> {
    if (isDigest(target.reference)) return this.#get(target, target.reference);
    const record = await this.#options.store.tag(tagName(exchange, target));
    return record && this.#get(target, record.digest);
  }

  #get({ upstream, repository }: ManifestTarget, digest: string): Promise<StoredManifest | undefined> {
    return this.#options.store.get({ base: upstream.base, repository, digest });
  }

  #isFresh(exchange: Exchange, target: ManifestTarget): boolean {
    return this.#options.acceptances.isFresh(whoAsks(exchange, target), this.#options.clock.nowMs());
  }

  #ask(exchange: Exchange, target: ManifestTarget, method: "GET" | "HEAD"): Promise<RegistryResponse> {
    const { upstream, repository, reference } = target;
    const accept = exchange.header("accept");
    return upstream.send({
      method,
      path: `/v2/${repository}/manifests/${reference}`,
      repository,
      headers: { ...(accept === undefined ? {} : { accept }), "accept-encoding": "identity" },
      authorization: exchange.authorization,
      signal: AbortSignal.any([exchange.signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]),
    });
  }

  /** Reads, checks, keeps and sends what the registry answered to a GET. */
  async #take(exchange: Exchange, target: ManifestTarget, response: RegistryResponse): Promise<void> {
    const { status, headers } = response;
    if (status < 200 || status > 299) return this.#refused(exchange, target, { response, asked: undefined });
    const bytes = await readWhole(response, MOST_MANIFEST_BYTES);
    const claimed = headers["docker-content-digest"];
    const named = isDigest(target.reference) ? target.reference : claimed;
    const digest = typeof named === "string" && isDigest(named) ? named : digestOf(bytes);
    if (!hasDigest(bytes, digest))
      throw new SkimmerError(
        "digest_mismatch",
        `the registry's manifest of ${target.repository}:${target.reference} does not have the digest ${digest}`,
      );
    const manifest: StoredManifest = { bytes, digest, mediaType: String(headers["content-type"] ?? "application/octet-stream") };
    await this.#options.store.put({ base: target.upstream.base, repository: target.repository }, manifest);
    await this.#note(exchange, target, manifest);
    this.#answer(exchange, target, { stored: manifest, cache: "miss" });
  }

  /** The registry gave this caller the manifest just now. */
  async #note(exchange: Exchange, target: ManifestTarget, { digest }: StoredManifest): Promise<void> {
    const { acceptances, clock, epochMs, store } = this.#options;
    acceptances.accept(whoAsks(exchange, target), clock.nowMs());
    const open = exchange.authorization === undefined && !target.upstream.lendsCredentials;
    if (open) this.#noteOpen(target, epochMs());
    if (!isDigest(target.reference)) await store.putTag(tagName(exchange, target), { digest, seenAtMs: epochMs(), open });
  }

  #noteOpen({ upstream, repository }: ManifestTarget, atMs: number): void {
    const key = `${upstream.base} ${repository}`;
    this.#open.delete(key);
    this.#open.set(key, atMs);
    if (this.#open.size > MOST_OPEN) this.#open.delete(this.#open.keys().next().value as string);
  }

  /** The registry's own words; to a HEAD of ours it had none, so it is asked once more for a caller's GET. */
  async #refused(exchange: Exchange, target: ManifestTarget, answered: { response: RegistryResponse; asked: unknown }): Promise<void> {
    let { response } = answered;
    if (response.status === 401 || response.status === 403) this.#options.acceptances.refuse(whoAsks(exchange, target));
    if (answered.asked !== undefined && exchange.method !== "HEAD") {
      await response.body.dump();
      response = await this.#ask(exchange, target, "GET");
      if (response.status < 300) return this.#take(exchange, target, response);
    }
    Object.assign(exchange.account, { cache: "bypass", source: "registry" });
    const body = await readWhole(response, MOST_MANIFEST_BYTES);
    const { "content-length": _length, ...headers } = returnedHeaders(response.headers);
    exchange.send(response.status, headers, body);
  }

  /** False where nothing is known, it is too old, or it is not for this caller. */
  async #stale(exchange: Exchange, target: ManifestTarget): Promise<boolean> {
    const { graceMs, acceptances, clock, epochMs, store } = this.#options;
    if (graceMs === 0) return false;
    const record = isDigest(target.reference) ? undefined : await store.tag(tagName(exchange, target));
    const inTime = record !== undefined && epochMs() - record.seenAtMs < graceMs;
    if (!isDigest(target.reference) && !inTime) return false;
    if (inTime && record.open) this.#noteOpen(target, record.seenAtMs);
    const may =
      this.isOpen(target.upstream.base, target.repository) ||
      target.upstream.lendsCredentials ||
      acceptances.wasWithin(whoAsks(exchange, target), graceMs, clock.nowMs());
    const stored = may ? await this.#get(target, record?.digest ?? target.reference) : undefined;
    if (stored === undefined) return false;
    exchange.account.reason = "the registry cannot be reached";
    this.#answer(exchange, target, { stored, cache: "stale" });
    return true;
  }

  #answer(exchange: Exchange, { upstream, repository }: ManifestTarget, { stored, cache }: Answer): void {
    const image = readImage(stored.bytes);
    if (image !== undefined) this.#options.images.note({ base: upstream.base, repository }, stored.digest, image);
    send(exchange, stored, cache);
  }
}

/** undefined for an index, and for what cannot be read: it is the engine's to judge. */
function readImage(bytes: Buffer): Extract<Manifest, { kind: "image" }> | undefined {
  try {
    const manifest = parseManifest(bytes);
    return manifest.kind === "image" ? manifest : undefined;
  } catch {
    return undefined;
  }
}

function send(exchange: Exchange, { bytes, mediaType, digest }: StoredManifest, cache: CacheState): void {
  const etag = `"${digest}"`;
  Object.assign(exchange.account, { cache, source: cache === "miss" ? "registry" : "store" });
  const headers = { "docker-content-digest": digest, etag, "docker-distribution-api-version": "registry/2.0" };
  if (namesTag(exchange.header("if-none-match"), etag)) return exchange.sendNothing(304, headers);
  exchange.send(200, { ...headers, "content-type": mediaType }, bytes);
}

function tagName(exchange: Exchange, { upstream, repository, reference }: ManifestTarget): TagName {
  const accept = (exchange.header("accept") ?? "").split(",").map((type) => type.trim());
  return { base: upstream.base, repository, reference, accept: [...new Set(accept)].sort().join(",") };
}

function whoAsks(exchange: Exchange, { upstream, repository }: ManifestTarget): AcceptedCaller {
  return { base: upstream.base, repository, caller: callerKey(exchange.authorization) };
}
