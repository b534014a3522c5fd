/**
 * `GET` and `HEAD /v2/NAME/blobs/DIGEST`: from the swarm, in order from the first verified piece on; straight from the registry
 * where anything of ours fails, also in the middle. Drives.
 *
 * Invariants: nothing is sent before the registry let this caller into this repository (by the registration, which asks it with
 * his credentials, or by its own answer); an answer that reached its Content-Length from its beginning has the digest.
 */
import { hash } from "node:crypto";
import type { DownloadRequest } from "../peer/daemon/daemon-api.ts";
import type { ByteSpan, Content } from "../peer/daemon/open-content.ts";
import type { BytesFrom } from "../peer/engine/types.ts";
import { blobTaskRequest } from "../registry/blob-task.ts";
import type { Clock } from "../system/clock.ts";
import { SkimmerError, toSkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import type { Acceptances, AcceptedCaller } from "./acceptances.ts";
import { blobEtag, blobHeaders, namesTag } from "./blob-headers.ts";
import type { BlobSessions, Lease } from "./blob-sessions.ts";
import { answerRange, type RangeAnswer } from "./byte-range.ts";
import { DigestGate } from "./digest-gate.ts";
import { resumeDirectly, sendDirectly } from "./direct-blob.ts";
import type { Exchange } from "./exchange.ts";
import type { KnownImages } from "./known-images.ts";
import { AHEAD_BYTES, lookAhead } from "./look-ahead.ts";
import { type CacheState, provenanceHeaders, sharesSince } from "./mirror-headers.ts";
import { OpenReads } from "./open-reads.ts";
import { StallWatch } from "./stall-watch.ts";
import { callerKey, type Upstream } from "./upstream.ts";

/** What the mirror needs of the host daemon. */
export interface ContentSource {
  content(request: DownloadRequest, options: { signal: AbortSignal; stored?: boolean }): Promise<Content | undefined>;
}

export interface BlobHandlerOptions {
  readonly source: ContentSource;
  readonly sessions: BlobSessions;
  readonly acceptances: Acceptances;
  /** What engines were told of images: which layers come next, and whose they are. */
  readonly images: KnownImages;
  readonly clock: Clock;
  readonly logger: Logger;
  /** So long what is stored may be given out while the registry is down. */
  readonly graceMs: number;
  /** Whether anyone may read the repository, as far as it is known. */
  readonly isOpen: (base: string, repository: string) => boolean;
}

export interface BlobTarget {
  readonly upstream: Upstream;
  readonly repository: string;
  readonly digest: string;
}

/** What is sent, and to whom the bytes of the meantime count. */
interface Answer {
  readonly content: Content;
  /** He is the first reader since it was opened. */
  readonly isFirst: boolean;
  readonly state?: CacheState;
}

/** The task must be there within this time, else the registry is asked directly while it goes on opening. */
const OPEN_PATIENCE_MS = 10_000;
/** The beginning of a layer that nobody reads yet is worth no longer. */
const AHEAD_LIMIT_MS = 60_000;
/** A small range is worth no long wait: the registry has it at once. */
const FIRST_OF_RANGE_MS = 1_500;
const FIRST_OF_ALL_MS = 15_000;
const SILENCE_MS = 20_000;
/** The swarm has other content under this digest: it is left alone for a while. */
const BAD_SWARM_MS = 300_000;
const MOST_BAD = 10_000;
const NOTHING: BytesFrom = { origin: 0, seeder: 0, peers: 0, cache: 0 };
const EMPTY = `sha256:${hash("sha256", "", "hex")}`;

export class BlobHandler {
  readonly #options: BlobHandlerOptions;
  readonly #badUntilMs = new Map<string, number>();
  readonly #reads = new OpenReads(missingOf);

  constructor(options: BlobHandlerOptions) {
    this.#options = options;
  }

  /** Answers the request. Rejects with what nobody can help: the registry is unreachable, the caller is gone. */
  async handle(exchange: Exchange, target: BlobTarget): Promise<void> {
    const key = sessionKey(target, exchange.authorization);
    if (exchange.method === "HEAD") {
      using known = this.#options.sessions.peek(key);
      if (known !== undefined) return this.#answer(exchange, target, { content: known.content, isFirst: false });
      return this.#direct(exchange, target, { reason: undefined });
    }
    if (this.#isBad(target.digest)) return this.#direct(exchange, target, { reason: "the swarm's content was wrong" });
    let lease: Lease;
    try {
      lease = await this.#open(exchange, target);
    } catch (thrown) {
      exchange.signal.throwIfAborted();
      return this.#direct(exchange, target, { reason: toSkimmerError(thrown).message });
    }
    using held = lease;
    this.#accept(exchange, target);
    if (held.content.lengthBytes === 0 && target.digest !== EMPTY)
      return this.#direct(exchange, target, { reason: "the swarm has nothing" });
    try {
      await this.#answer(exchange, target, { content: held.content, isFirst: held.takeFirst() });
    } catch (thrown) {
      if (toSkimmerError(thrown).code === "digest_mismatch") held.retire();
      throw thrown;
    }
  }

  /** Has the host fetch the blob, for whoever asks next (a layer that was just pushed). */
  async warm(target: BlobTarget, authorization: string | undefined, signal: AbortSignal): Promise<void> {
    using held = await this.#lease(target, authorization, signal);
    held.content.fetchAll();
  }

  /** Has the host fetch the beginning of a layer that comes next; its engine may have it, and never ask. */
  async #fetchAhead(target: BlobTarget, authorization: string | undefined): Promise<void> {
    using held = await this.#lease(target, authorization, AbortSignal.timeout(OPEN_PATIENCE_MS));
    const { content } = held;
    const span = { firstByte: 0, lastByte: Math.min(AHEAD_BYTES, content.lengthBytes) - 1 };
    await content.fetch(span, AbortSignal.timeout(AHEAD_LIMIT_MS));
  }

  #lease(target: BlobTarget, authorization: string | undefined, signal: AbortSignal): Promise<Lease> {
    const key = sessionKey(target, authorization);
    return this.#options.sessions.open(key, (opening) => this.#register(target, authorization, opening), signal);
  }

  async #open(exchange: Exchange, target: BlobTarget): Promise<Lease> {
    const late = AbortSignal.timeout(OPEN_PATIENCE_MS);
    const signal = AbortSignal.any([exchange.signal, late]);
    try {
      return await this.#lease(target, exchange.authorization, signal);
    } catch (thrown) {
      if (!late.aborted) throw thrown;
      throw new SkimmerError("timeout", `the swarm was not opened within ${OPEN_PATIENCE_MS / 1000} s`, { retriable: true, cause: thrown });
    }
  }

  /** The registration asks the registry with the caller's credentials, through a seeder or from here. */
  async #register(target: BlobTarget, given: string | undefined, signal: AbortSignal): Promise<Content> {
    const { upstream, repository, digest } = target;
    const authorization = await upstream.authorizeBlob({ repository, digest, authorization: given, signal });
    const content = await this.#options.source.content(downloadOf(target, authorization), { signal });
    if (content === undefined) throw new SkimmerError("internal", "the daemon opened nothing");
    return content;
  }

  /** Straight from the registry; where that is down, from the store, if the caller may. */
  async #direct(exchange: Exchange, target: BlobTarget, { reason }: { reason: string | undefined }): Promise<void> {
    exchange.account.reason = reason;
    try {
      const sent = await sendDirectly(exchange, target);
      if (sent.kind === "unavailable") {
        if (await this.#stale(exchange, target)) return;
        return sent.send();
      }
      if (sent.status < 400) this.#accept(exchange, target);
      else if (sent.status === 401 || sent.status === 403) this.#refuse(exchange, target);
    } catch (thrown) {
      if (exchange.response.headersSent || exchange.signal.aborted || !(await this.#stale(exchange, target))) throw thrown;
    }
  }

  /** False where there is nothing that this caller may have. */
  async #stale(exchange: Exchange, target: BlobTarget): Promise<boolean> {
    const { source, graceMs } = this.#options;
    if (graceMs === 0 || !this.#mayHaveStale(exchange, target)) return false;
    const content = await source.content(downloadOf(target, undefined), { signal: exchange.signal, stored: true });
    if (content === undefined) return false;
    await using held = content;
    exchange.account.reason = "the registry cannot be reached";
    await this.#answer(exchange, target, { content: held, isFirst: false, state: "stale" });
    return true;
  }

  /** He had it, or may read the repository, which has it: the store knows digests only, and those of private repositories too. */
  #mayHaveStale(exchange: Exchange, { upstream, repository, digest }: BlobTarget): boolean {
    const { acceptances, images, clock, graceMs, isOpen } = this.#options;
    const who = whoAsks(exchange, { upstream, repository });
    const nowMs = clock.nowMs();
    if (acceptances.wasWithin({ ...who, digest }, graceMs, nowMs)) return true;
    if (!images.names({ base: upstream.base, repository }, digest)) return false;
    return acceptances.wasWithin(who, graceMs, nowMs) || upstream.lendsCredentials || isOpen(upstream.base, repository);
  }

  /** The registry let him in, and to this blob. */
  #accept(exchange: Exchange, target: BlobTarget): void {
    const who = whoAsks(exchange, target);
    const nowMs = this.#options.clock.nowMs();
    this.#options.acceptances.accept(who, nowMs);
    this.#options.acceptances.accept({ ...who, digest: target.digest }, nowMs);
  }

  #refuse(exchange: Exchange, target: BlobTarget): void {
    const who = whoAsks(exchange, target);
    this.#options.acceptances.refuse(who);
    this.#options.acceptances.refuse({ ...who, digest: target.digest });
  }

  async #answer(exchange: Exchange, target: BlobTarget, answer: Answer): Promise<void> {
    const { digest } = target;
    const { content } = answer;
    const { lengthBytes } = content;
    const etag = blobEtag(digest);
    const cache = answer.state ?? cacheState(content);
    const source = cache === "hit" || cache === "stale" ? "store" : "swarm";
    const from = source === "store" ? { ...NOTHING, cache: lengthBytes } : content.from();
    Object.assign(exchange.account, { cache, source, task: content.infoHash });
    const headers = { ...blobHeaders(digest), ...provenanceHeaders({ cache, source, task: content.infoHash, from }) };
    if (namesTag(exchange.header("if-none-match"), etag)) return exchange.sendNothing(304, headers);
    // ranges are defined for GET alone (RFC 9110 14.2)
    const wanted = exchange.method === "HEAD" ? undefined : exchange.header("range");
    const range = answerRange({ range: wanted, ifRange: exchange.header("if-range"), etag, lengthBytes });
    if (range.kind === "unsatisfiable") return exchange.send(416, { ...headers, "content-range": `bytes */${lengthBytes}` });
    const span = spanOf(range, lengthBytes);
    const length = span.lastByte - span.firstByte + 1;
    const contentRange = range.kind === "span" ? { "content-range": `bytes ${span.firstByte}-${span.lastByte}/${lengthBytes}` } : {};
    exchange.begin(range.kind === "span" ? 206 : 200, { ...headers, ...contentRange, "content-length": length });
    if (exchange.method === "HEAD") return void exchange.response.end();
    // a closed range may be all that is wanted of the layer (lazy pulling); an open one may stand for the whole
    if (range.kind === "all" || range.open) content.fetchAll();
    await this.#stream(exchange, target, { ...answer, span, isSmall: range.kind === "span" && !range.open });
  }

  /** From the swarm; what it does not bring comes from the registry. */
  async #stream(exchange: Exchange, target: BlobTarget, wanted: Answer & { span: ByteSpan; isSmall: boolean }): Promise<void> {
    const { content, span, isSmall, isFirst } = wanted;
    // what came with the answer, or since the opening, is the first reader's
    const begin = content.infoHash === null || isFirst ? NOTHING : content.from();
    const { digest } = target;
    const trusted = `sha256:${content.sha256}` === digest;
    const gate = new DigestGate({ digest, lengthBytes: content.lengthBytes, firstByte: span.firstByte, trusted });
    let swarmEnd: number | undefined;
    const reader = JSON.stringify([target.upstream.base, target.repository, callerKey(exchange.authorization)]);
    try {
      using _ = isSmall ? undefined : this.#reads.begin(reader, content);
      const ahead = isSmall ? () => undefined : this.#lookAhead(exchange, target);
      const onProgress = (): void => ahead(this.#reads.missingBytes(reader));
      await streamWatched(exchange, { content, span, gate, onProgress, firstMs: isSmall ? FIRST_OF_RANGE_MS : FIRST_OF_ALL_MS });
    } catch (thrown) {
      exchange.signal.throwIfAborted();
      const error = toSkimmerError(thrown);
      const facts = { digest, code: error.code, at: gate.at, error: error.message };
      exchange.account.reason = error.message;
      if (error.code === "digest_mismatch") {
        this.#options.logger.warn(facts, "a blob of the swarm has another digest, and is dropped");
        this.#noteBad(digest);
        content.discard();
        throw error;
      }
      this.#options.logger.warn(facts, "a blob goes on straight from the registry");
      swarmEnd = gate.at;
      await resumeDirectly(exchange, target, { gate, span });
    }
    if (gate.verified !== undefined && digest.startsWith("sha256:")) content.noteSha256(gate.verified);
    const shares = sharesSince(begin, content.from(), (swarmEnd ?? gate.at) - span.firstByte);
    exchange.account.from = swarmEnd === undefined ? shares : { ...shares, registry: gate.at - swarmEnd };
    exchange.response.end();
  }

  /** Opens the layers after this one in good time, for the same caller. */
  #lookAhead({ authorization }: Exchange, target: BlobTarget): (missingBytes: number) => void {
    const { images, logger } = this.#options;
    const following = images.after({ base: target.upstream.base, repository: target.repository }, target.digest);
    return lookAhead(following, (digest) => {
      if (this.#isBad(digest)) return;
      this.#fetchAhead({ ...target, digest }, authorization).catch((thrown: unknown) =>
        logger.debug({ digest, error: toSkimmerError(thrown).message }, "a layer could not be fetched ahead of its reader"),
      );
    });
  }

  #isBad(digest: string): boolean {
    return (this.#badUntilMs.get(digest) ?? 0) > this.#options.clock.nowMs();
  }

  #noteBad(digest: string): void {
    this.#badUntilMs.delete(digest);
    this.#badUntilMs.set(digest, this.#options.clock.nowMs() + BAD_SWARM_MS);
    if (this.#badUntilMs.size > MOST_BAD) this.#badUntilMs.delete(this.#badUntilMs.keys().next().value as string);
  }
}

async function streamWatched(
  exchange: Exchange,
  reading: { content: Content; span: ByteSpan; gate: DigestGate; firstMs: number; onProgress: () => void },
): Promise<void> {
  const { content, span, gate, firstMs, onProgress } = reading;
  using watch = new StallWatch({ firstMs, laterMs: SILENCE_MS });
  const sink = async (bytes: Buffer): Promise<void> => {
    const resume = watch.pause();
    gate.pass(bytes);
    await exchange.write(bytes);
    resume();
    onProgress();
  };
  await content.stream(span, sink, AbortSignal.any([exchange.signal, watch.signal]));
}

function downloadOf({ upstream, repository, digest }: BlobTarget, authorization: string | undefined): DownloadRequest {
  const { url, headers, digest: checked } = blobTaskRequest({ base: upstream.base, repository, digest, authorization });
  return {
    url,
    headers,
    digest: checked,
    tls: upstream.tls,
    outputMode: 0o600,
    limitBytesPerSecond: 0,
    notbs: false,
    pattern: "p2p",
    priority: 3,
    timeoutMs: 0,
  };
}

function sessionKey({ upstream, repository, digest }: BlobTarget, authorization: string | undefined): string {
  return JSON.stringify([upstream.base, repository, digest, callerKey(authorization)]);
}

function whoAsks(exchange: Exchange, { upstream, repository }: Omit<BlobTarget, "digest">): AcceptedCaller {
  return { base: upstream.base, repository, caller: callerKey(exchange.authorization) };
}

function missingOf(content: Content): number {
  const { cache, origin, peers, seeder } = content.from();
  return content.complete ? 0 : content.lengthBytes - cache - origin - peers - seeder;
}

function cacheState(content: Content): CacheState {
  const { cache } = content.from();
  // small content comes with the answer: complete, yet not from here
  if (content.complete && (content.infoHash !== null || cache === content.lengthBytes)) return "hit";
  return cache > 0 ? "partial" : "miss";
}

function spanOf(range: RangeAnswer, lengthBytes: number): ByteSpan {
  return range.kind === "span" ? range : { firstByte: 0, lastByte: lengthBytes - 1 };
}
