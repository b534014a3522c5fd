/**
 * Content that is read in ranges while it is still coming: what the registry mirror and proxy stand on. Drives.
 *
 * Opening asks the origin with the caller's headers, as every download does. fetch(), and a read of a range, fetch the pieces of that
 * range; fetchAll() fetches the rest too, until the content is let go. Invariant: what is complete and does not have the
 * wanted digest is forgotten when the last who reads it leaves.
 */
import { SkimmerError } from "../../system/errors.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { Validators } from "../../torrents/task-api.ts";
import { contentKey } from "../../torrents/task-identity.ts";
import type { BytesFrom, Torrent } from "../engine/types.ts";
import { accountSoFar } from "./byte-account.ts";
import { digestFile } from "./content-digest.ts";
import type { DownloadRequest } from "./daemon-api.ts";
import type { DownloadParts } from "./download.ts";
import type { OpenTask } from "./download-plan.ts";
import type { RunHandle } from "./open-runs.ts";
import { type ContentSink, streamTorrent } from "./stream-content.ts";
import { streamFile } from "./stream-file.ts";

/** First and last byte, inclusive. */
export interface ByteSpan {
  readonly firstByte: number;
  readonly lastByte: number;
}

export interface Content extends AsyncDisposable {
  readonly lengthBytes: number;
  readonly validators: Validators;
  /** null: it is so small that it came with the answer. */
  readonly infoHash: InfoHash | null;
  /** SHA-256 of the whole, where it was computed and is the wanted one. */
  readonly sha256: string | undefined;
  /** Whether everything is on this host. */
  readonly complete: boolean;
  has(span: ByteSpan): boolean;
  /** Where the bytes came from since it was opened; `cache`: they were here. */
  from(): BytesFrom;
  /** Fetches what is missing, also while nobody reads. */
  fetchAll(): void;
  /** Resolves when the span is here. Rejects with the signal's reason, or with why the bytes cannot be had. */
  fetch(span: ByteSpan, signal: AbortSignal): Promise<void>;
  /** Sends the span in order as it comes; bytes are the sink's until its promise resolves. Rejects with the signal's reason, or with why the bytes cannot be had. */
  stream(span: ByteSpan, sink: ContentSink, signal: AbortSignal): Promise<void>;
  /** A reader computed the SHA-256 of the whole. */
  noteSha256(hex: string): void;
  /** It is not what it should be: forgotten when the last who reads it leaves. */
  discard(): void;
}

const NOTHING: BytesFrom = { origin: 0, seeder: 0, peers: 0, cache: 0 };

/** Opens what the request names. Rejects with SkimmerError: what the origin says, or `origin_failed` where it tells no length. */
export async function openContent(parts: DownloadParts, request: DownloadRequest, signal: AbortSignal): Promise<Content> {
  const plan = await parts.planner.plan(request, { straight: false, signal });
  switch (plan.kind) {
    case "empty":
      return new SmallContent(Buffer.alloc(0), { from: NOTHING, validators: {} });
    case "inline": {
      const cached = parts.inlineStore.has(plan.task.entry.infoHash);
      parts.inlineStore.keep(plan.task, plan.bytes);
      const { length } = plan.bytes;
      const from = cached ? { ...NOTHING, cache: length } : { ...NOTHING, seeder: length };
      return new SmallContent(plan.bytes, { from, validators: plan.task.entry.validators });
    }
    case "spool":
      throw new SkimmerError("origin_failed", "the origin does not tell the length");
    case "torrent":
      return openTorrent(parts, request, plan.task);
  }
}

/** What the host's store holds in full of that request; undefined: nothing. The origin is not asked: the caller knows that it may be given. */
export async function openStored(parts: DownloadParts, request: DownloadRequest): Promise<Content | undefined> {
  const key = contentKey(request);
  const fits = (url: string): boolean => contentKey({ ...request, url }) === key;
  const entry = parts.index.list().find((one) => one.complete && !one.volatile && fits(one.url));
  if (entry === undefined) return undefined;
  return openTorrent(parts, request, { entry, peers: [], final: undefined, alone: undefined, seedersOnly: false });
}

async function openTorrent(parts: DownloadParts, request: DownloadRequest, task: OpenTask): Promise<Content> {
  return new TorrentContent(parts, { request, task, handle: await parts.runs.open(task) });
}

/** Content that is in memory. */
class SmallContent implements Content {
  readonly infoHash = null;
  readonly sha256 = undefined;
  readonly complete = true;
  readonly validators: Validators;
  readonly #bytes: Buffer;
  readonly #from: BytesFrom;

  constructor(bytes: Buffer, facts: { from: BytesFrom; validators: Validators }) {
    this.#bytes = bytes;
    this.#from = facts.from;
    this.validators = facts.validators;
  }

  get lengthBytes(): number {
    return this.#bytes.length;
  }

  has(): boolean {
    return true;
  }

  from(): BytesFrom {
    return this.#from;
  }

  fetchAll(): void {
    // it is all here
  }

  async fetch(): Promise<void> {
    // it is all here
  }

  async stream({ firstByte, lastByte }: ByteSpan, sink: ContentSink): Promise<void> {
    if (lastByte >= firstByte) await sink(this.#bytes.subarray(firstByte, lastByte + 1));
  }

  noteSha256(): void {
    // costs nothing to compute again
  }

  discard(): void {
    // nothing is kept
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // nothing is held
  }
}

class TorrentContent implements Content {
  readonly #parts: DownloadParts;
  readonly #request: DownloadRequest;
  readonly #task: OpenTask;
  readonly #handle: RunHandle;
  readonly #torrent: Torrent;
  readonly #begin: { from: BytesFrom; bytesHave: number };
  readonly #ended = new AbortController();
  #fetching: Promise<unknown> | undefined;
  #discarded = false;

  constructor(parts: DownloadParts, open: { request: DownloadRequest; task: OpenTask; handle: RunHandle }) {
    this.#parts = parts;
    this.#request = open.request;
    this.#task = open.task;
    this.#handle = open.handle;
    this.#torrent = open.handle.run.torrent;
    const { from, bytesHave } = this.#torrent.stats;
    this.#begin = { from, bytesHave };
  }

  get lengthBytes(): number {
    return this.#torrent.geometry.lengthBytes;
  }

  get validators(): Validators {
    return this.#task.entry.validators;
  }

  get infoHash(): InfoHash {
    return this.#torrent.infoHash;
  }

  get complete(): boolean {
    return this.#torrent.complete;
  }

  get sha256(): string | undefined {
    const sha256 = this.complete ? this.#parts.index.get(this.infoHash)?.sha256 : undefined;
    return this.#request.digest === undefined || `sha256:${sha256}` === this.#request.digest ? sha256 : undefined;
  }

  has(span: ByteSpan): boolean {
    const { first, last } = this.#pieces(span);
    for (let index = first; index <= last; index++) if (!this.#torrent.has(index)) return false;
    return true;
  }

  from(): BytesFrom {
    return accountSoFar({ begin: this.#begin, now: this.#torrent.stats });
  }

  fetchAll(): void {
    if (this.complete || this.#fetching !== undefined || this.#ended.signal.aborted) return;
    const waiting = this.#handle.run.wait(this.#request, { signal: this.#ended.signal, onProgress: () => undefined });
    this.#fetching = waiting
      .catch((thrown: unknown) => this.#onFetchFailed(thrown))
      .finally(() => {
        this.#fetching = undefined;
      });
  }

  async fetch(span: ByteSpan, signal: AbortSignal): Promise<void> {
    if (this.has(span)) return;
    const both = AbortSignal.any([signal, this.#ended.signal]);
    await this.#handle.run.wait(this.#request, { signal: both, onProgress: () => undefined, spans: [this.#pieces(span)] });
  }

  async stream(span: ByteSpan, sink: ContentSink, signal: AbortSignal): Promise<void> {
    if (span.lastByte < span.firstByte) return;
    const reads = AbortSignal.any([signal, this.#ended.signal]);
    if (this.complete) return streamFile(this.#torrent.dataPath, span, sink, reads);
    const { run } = this.#handle;
    const ended = new AbortController();
    const both = AbortSignal.any([reads, ended.signal]);
    const reading = {
      torrent: this.#torrent,
      skipBytes: span.firstByte,
      endBytes: span.lastByte + 1,
      sink,
      reuse: true,
      cursor: run.openCursor(),
    };
    try {
      const waiting = run.wait(this.#request, { signal: both, onProgress: () => undefined, spans: [this.#pieces(span)] });
      await Promise.all([waiting, streamTorrent({ ...reading, signal: both })]);
    } catch (thrown) {
      if (thrown instanceof SkimmerError && thrown.code === "origin_changed") this.#handle.discard();
      throw thrown;
    } finally {
      ended.abort(new SkimmerError("cancelled", "the reader has left"));
    }
  }

  noteSha256(hex: string): void {
    if (!this.complete || this.sha256 !== undefined) return;
    this.#parts.index.update(this.infoHash, { sha256: hex }).catch((thrown: unknown) => this.#warn(thrown));
  }

  discard(): void {
    this.#discarded = true;
    this.#handle.discard();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort(new SkimmerError("cancelled", "nobody reads this content any more"));
    await this.#fetching;
    try {
      if (!this.#discarded) await this.#checkDigest();
      await this.#parts.index.update(this.infoHash, { lastUsedAtMs: this.#parts.epochMs() });
    } catch (thrown) {
      this.#warn(thrown);
    } finally {
      await this.#handle[Symbol.asyncDispose]();
    }
  }

  /** Complete content that nobody read to its end was not checked yet. */
  async #checkDigest(): Promise<void> {
    const { digest } = this.#request;
    if (digest === undefined || !this.complete || this.sha256 !== undefined) return;
    const { dataPath } = this.#torrent;
    const common = { names: ["sha256"] as const, lengthBytes: this.lengthBytes, signal: AbortSignal.timeout(CHECK_LIMIT_MS) };
    const { sha256 } = await digestFile(dataPath, common);
    if (`sha256:${sha256}` === digest) return this.#parts.index.update(this.infoHash, { sha256 });
    this.#parts.logger.warn({ infoHash: this.infoHash, digest, sha256 }, "content with another digest than the wanted one is dropped");
    this.#handle.discard();
  }

  #pieces({ firstByte, lastByte }: ByteSpan): { first: number; last: number } {
    const { pieceLengthBytes } = this.#torrent.geometry;
    return { first: Math.floor(firstByte / pieceLengthBytes), last: Math.floor(lastByte / pieceLengthBytes) };
  }

  #onFetchFailed(thrown: unknown): void {
    if (thrown instanceof SkimmerError && thrown.code === "origin_changed") this.#handle.discard();
    if (!this.#ended.signal.aborted) this.#warn(thrown);
  }

  #warn(thrown: unknown): void {
    this.#parts.logger.warn({ err: thrown, infoHash: this.infoHash }, "content could not be kept");
  }
}

const CHECK_LIMIT_MS = 60_000;
