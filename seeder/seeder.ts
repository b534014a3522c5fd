/**
 * The passive CDN: resolves requests to tasks, fetches each task from its origin once, and seeds it.
 *
 * Every resolve asks the origin with that caller's own headers, unless the origin said that its last answer to him still
 * holds: nobody gets what the origin refuses him, and a changed file is another task.
 * Invariant: one probe per caller and URL at a time, one task per identity.
 */
import { type KeyObject, randomBytes } from "node:crypto";
import { join } from "node:path";
import { hasValidators } from "../origin/same-content.ts";
import { spoolOrigin } from "../origin/spool.ts";
import type { Origin, OriginRequest, Probe } from "../origin/types.ts";
import type { Engine, Torrent } from "../peer/engine/types.ts";
import type { CacheSize } from "../system/cache-size.ts";
import { SkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import { publicKeyBytes } from "../torrents/cluster-key.ts";
import { choosePieceLength } from "../torrents/geometry.ts";
import type { TaskId } from "../torrents/ids.ts";
import { encodeLiveInfo } from "../torrents/live-info.ts";
import type { CacheReport, GcResult, GoneReason, SeederTask as TaskShape } from "../torrents/seeder-link.ts";
import { INLINE_BYTES, type TaskRequest } from "../torrents/task-api.ts";
import { isRegistryBlob, taskIdOf } from "../torrents/task-identity.ts";
import { readCacheControl } from "./cache-control.ts";
import { conditionalRequest, isUnchanged, sameValidators } from "./conditional-request.ts";
import { type Caller, callerOf } from "./credentials.ts";
import { DiskKeeper } from "./disk-keeper.ts";
import { Registrations } from "./registrations.ts";
import type { CacheLimits } from "./room-plan.ts";
import { SeederCounters } from "./seeder-counters.ts";
import type { SeederTask } from "./seeder-task.ts";
import type { StoredTask } from "./task-files.ts";
import { TaskShelf } from "./task-shelf.ts";
import { Unversioned } from "./unversioned.ts";
import { WrongBlobs } from "./wrong-blobs.ts";

const RESOLVE_LIMIT_MS = 60_000;
const SPOOL_LIMIT_MS = 6 * 3_600_000;
/** A refusal is shared with callers of the same headers for this long. */
const NEGATIVE_MS = 2000;
const DEFAULT_CACHE: CacheLimits = { size: { share: 0.8 }, high: 0.95, low: 0.85 };

type Request = Omit<TaskRequest, "peer">;

export interface SeederOptions {
  readonly engine: Engine;
  readonly origin: Origin;
  readonly key: KeyObject;
  readonly salt: Buffer;
  readonly data: string;
  readonly logger: Logger;
  /** Absent: 80 % of the file system. */
  readonly cache?: CacheLimits;
  /** Milliseconds since 1970; absent: the machine's clock. */
  readonly nowMs?: () => number;
  /** How long an origin may take to answer; absent: a minute. */
  readonly resolveLimitMs?: number;
  /** A task's state changed, or (undefined shape) it is gone. */
  onChange(id: TaskId, shape: TaskShape | undefined, reason?: GoneReason): void;
}

export class Seeder {
  readonly counters = new SeederCounters();
  readonly #options: SeederOptions;
  readonly #nowMs: () => number;
  readonly #shelf: TaskShelf;
  readonly #keeper: DiskKeeper;
  readonly #registrations = new Registrations();
  readonly #unversioned = new Unversioned();
  readonly #wrong = new WrongBlobs();
  readonly #resolving = new Map<string, Promise<TaskShape>>();
  readonly #spooling = new Map<string, Promise<SeederTask>>();
  readonly #stop = new AbortController();

  constructor(options: SeederOptions) {
    const { engine, key, data, logger, onChange } = options;
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#shelf = new TaskShelf({
      engine,
      key,
      data,
      logger,
      onTask: (shape) => onChange(shape.id, shape),
      onGone: (id, reason) => onChange(id, undefined, reason),
      onWrong: (task) => this.#wrong.note(task.stored.content, this.#nowMs()),
    });
    this.#keeper = new DiskKeeper({
      shelf: this.#shelf,
      data,
      limits: options.cache ?? DEFAULT_CACHE,
      logger,
      nowMs: this.#nowMs,
      onRoom: (task) => this.#resume(task),
      onRemoved: (bytes) => this.counters.evicted(bytes),
    });
  }

  get shapes(): TaskShape[] {
    return this.#shelf.tasks.map((task) => task.shape);
  }

  get states(): TaskShape["state"][] {
    return this.#shelf.tasks.map((task) => task.state);
  }

  /** Brings the tasks of the last run back; unfinished ones go on at once. */
  async restore(): Promise<void> {
    await this.#shelf.restore();
    // the least recently used first: what is latest stays latest
    for (const task of this.#shelf.tasks.reverse()) {
      const { content, id, validators } = task.stored;
      const before = this.#shelf.find(this.#registrations.setLatest(content, id));
      if (before !== undefined && content !== "") before.replaced = true;
      if (!hasValidators(validators) && !task.stored.private)
        this.#unversioned.restore(content, { id, lengthBytes: task.torrent.geometry.lengthBytes, sinceMs: task.lastUsedMs });
      this.#resume(task);
    }
    this.#keeper.start();
  }

  /** The task behind a request. Rejects with SkimmerError (what the origin said, `disk_full`, …). */
  resolve(request: Request): Promise<TaskShape> {
    const caller = callerOf(request);
    const running = this.#resolving.get(caller.key);
    if (running !== undefined) return running;
    const resolving = this.#resolve(request, caller);
    this.#resolving.set(caller.key, resolving);
    const forget = (): void => void this.#resolving.delete(caller.key);
    resolving.then(forget, () => setTimeout(forget, NEGATIVE_MS).unref());
    return resolving;
  }

  /** Removes a task for good. Rejects with `not_found`. */
  delete(id: TaskId): Promise<void> {
    return this.#shelf.remove(id, "deleted");
  }

  /** Keeps the task whatever room is needed, or no longer. Rejects with `not_found`. */
  pin(id: TaskId, pinned: boolean): Promise<void> {
    return this.#shelf.pin(id, pinned);
  }

  /** Evicts what is idle, down to `to` (absent: the low mark), and removes leftovers. */
  collect(to: CacheSize | undefined): Promise<GcResult> {
    return this.#keeper.collect(to);
  }

  /** What anyone may have. Throws SkimmerError `not_found`. */
  publicTorrent(id: TaskId): Torrent {
    const task = this.#shelf.find(id);
    if (task === undefined || task.stored.private) throw new SkimmerError("not_found", `no public task ${id}`);
    return task.torrent;
  }

  /** How the disk stands. */
  room(): ReturnType<DiskKeeper["room"]> {
    return this.#keeper.room();
  }

  /** What is stored, and how much room there is. */
  async cacheReport(): Promise<CacheReport> {
    const { quotaBytes, usedBytes, availableBytes } = await this.#keeper.room();
    const tasks = this.#shelf.tasks.map((task) => ({
      id: task.stored.id,
      bytes: task.storedBytes,
      pinned: task.stored.pinned,
      active: task.active,
      lastUsedMs: Math.floor(task.lastUsedMs),
    }));
    return { quotaBytes, usedBytes, availableBytes, tasks };
  }

  /** One round of disk keeping; runs by itself every few seconds. */
  lookAfterDisk(): Promise<void> {
    return this.#keeper.look();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#keeper.close();
    await this.#shelf.close();
  }

  async #resolve(request: Request, caller: Caller): Promise<TaskShape> {
    const limitMs = this.#options.resolveLimitMs ?? RESOLVE_LIMIT_MS;
    const signal = AbortSignal.any([AbortSignal.timeout(limitMs), this.#stop.signal]);
    try {
      this.#wrong.check(caller.content, this.#nowMs());
      const fresh = this.#shelf.find(this.#registrations.fresh(caller, this.#nowMs()));
      const held = fresh !== undefined && fresh.state !== "failed";
      const task = held ? fresh : await this.#ask(request, caller, signal);
      if (held) this.counters.registered("fresh");
      task.lastUsedMs = this.#nowMs();
      if (task.torrent.geometry.lengthBytes <= INLINE_BYTES) await task.settled(signal);
      if (task.state === "failed" && task.error !== undefined) throw task.error;
      return task.shape;
    } catch (error) {
      this.counters.registered("failed");
      if (error instanceof SkimmerError || !signal.aborted) throw error;
      const message = `${new URL(request.url).host} did not answer within ${limitMs / 1000} s`;
      throw new SkimmerError("timeout", message, { retriable: true, hint: "Check that the origin is up, and try again.", cause: error });
    }
  }

  /** Asks the origin what this caller may have now, and starts the fetch of what is missing of it. */
  async #ask(request: Request, caller: Caller, signal: AbortSignal): Promise<SeederTask> {
    const source = conditionalRequest(
      { url: request.url, headers: request.headers, window: parseWindow(request.range), loopback: request.loopback, tls: request.tls },
      undefined,
    );
    const known = this.#shelf.find(this.#registrations.latest(caller.content));
    const probe = await this.#probe({ source, known, caller, signal });
    if (probe !== undefined && probe.lengthBytes === undefined) return this.#spool({ request, caller, source, probe });
    if (probe === undefined) this.counters.registered("revalidated");
    const current = probe ?? probeOf(known as SeederTask);
    const task = probe === undefined ? (known as SeederTask) : await this.#taskFor({ request, caller, source, probe });
    using _room = task.state === "failed" ? await this.#keeper.reserve(task.missingBytes) : undefined;
    task.fetch({ origin: this.#options.origin, request: source, probe: current });
    this.#accept(caller, task, current);
    return task;
  }

  /** What the origin says; undefined: `known` is still current. */
  async #probe(ask: {
    source: OriginRequest;
    known: SeederTask | undefined;
    caller: Caller;
    signal: AbortSignal;
  }): Promise<Probe | undefined> {
    const { source, known, caller, signal } = ask;
    const { origin } = this.#options;
    const condition = known && this.#conditionFor(known, caller);
    try {
      return await origin.probe(conditionalRequest(source, condition), { signal });
    } catch (error) {
      if (known !== undefined && condition !== undefined && isUnchanged(error)) {
        // it may have been evicted while the origin answered
        return this.#shelf.find(known.stored.id) === known ? undefined : origin.probe(source, { signal });
      }
      if (known !== undefined && error instanceof SkimmerError) this.#onRefused(known, caller, error);
      throw error;
    }
  }

  /** A date alone does not tell one caller's private content from another's: only who had it may be answered by it. */
  #conditionFor(known: SeederTask, caller: Caller): StoredTask["validators"] | undefined {
    const { validators, private: isPrivate, id } = known.stored;
    if (isPrivate && validators.etag === undefined && !this.#registrations.hasAccepted(caller, id)) return undefined;
    return hasValidators(validators) ? validators : undefined;
  }

  /** Origins hide what is private behind 404: there it counts only from callers who had it. */
  #onRefused(known: SeederTask, caller: Caller, error: SkimmerError): void {
    const mayKnow = !known.stored.private || this.#registrations.hasAccepted(caller, known.stored.id);
    if (error.code === "origin_not_found" && mayKnow) known.goneSinceMs ??= this.#nowMs();
    if (error.code === "origin_refused" || error.code === "origin_not_found") this.#registrations.refuse(caller);
  }

  #accept(caller: Caller, task: SeederTask, probe: Probe): void {
    const { freshMs } = readCacheControl(probe.cacheControl);
    task.replaced = false;
    task.goneSinceMs = undefined;
    const before = this.#shelf.find(this.#registrations.accept(caller, task.stored.id, this.#nowMs() + freshMs));
    if (before !== undefined) before.replaced = true;
  }

  /** Content whose length the origin does not tell is spooled first, once per version; then it is an ordinary task. */
  async #spool(ask: { request: Request; caller: Caller; source: OriginRequest; probe: Probe }): Promise<SeederTask> {
    const { caller, probe } = ask;
    const known = this.#shelf.find(this.#registrations.latest(caller.content));
    const current = known?.state === "final" && sameValidators(known.stored.validators, probe.validators);
    if (current) this.counters.registered("known");
    const task = current ? known : await this.#spoolOnce(ask);
    this.#accept(caller, task, probe);
    return task;
  }

  #spoolOnce(ask: { request: Request; caller: Caller; source: OriginRequest; probe: Probe }): Promise<SeederTask> {
    const { validators } = ask.probe;
    const shared = hasValidators(validators) || !ask.caller.hasCredentials;
    const key = JSON.stringify([shared ? ask.caller.content : ask.caller.key, validators.etag, validators.lastModified]);
    const running = this.#spooling.get(key);
    if (running !== undefined) return running;
    const spooling = this.#spoolNow(ask).finally(() => this.#spooling.delete(key));
    this.#spooling.set(key, spooling);
    return spooling;
  }

  async #spoolNow(ask: { request: Request; caller: Caller; source: OriginRequest; probe: Probe }): Promise<SeederTask> {
    const { origin, data } = this.#options;
    const signal = AbortSignal.any([AbortSignal.timeout(SPOOL_LIMIT_MS), this.#stop.signal]);
    await using spool = await spoolOrigin({ folder: join(data, "spool"), origin, request: ask.source, probe: ask.probe, signal });
    const task = await this.#taskFor({ ...ask, probe: { ...ask.probe, lengthBytes: spool.probe.lengthBytes } });
    task.fetch({ origin: spool.origin, request: ask.source, probe: spool.probe });
    await task.settled(signal);
    if (task.error !== undefined) throw task.error;
    return task;
  }

  async #taskFor(ask: { request: Request; caller: Caller; source: OriginRequest; probe: Probe }): Promise<SeederTask> {
    const { request, caller, source, probe } = ask;
    const lengthBytes = probe.lengthBytes as number;
    const isPrivate = caller.hasCredentials || readCacheControl(probe.cacheControl).private;
    const id = this.#identify({ request, caller, probe, isPrivate });
    const known = this.#shelf.find(id);
    if (known !== undefined) {
      this.counters.registered("known");
      return known;
    }
    using _room = await this.#keeper.reserve(lengthBytes);
    const beganMs = performance.now();
    let isNew = false;
    const make = (): StoredTask => {
      isNew = true;
      const pieceLengthBytes = request.pieceLengthBytes ?? choosePieceLength(lengthBytes);
      const key = publicKeyBytes(this.#options.key);
      return {
        id,
        request: source,
        name: probe.name,
        liveInfo: encodeLiveInfo({ name: probe.name, lengthBytes, pieceLengthBytes, key, task: Buffer.from(id, "hex") }),
        validators: probe.validators,
        private: isPrivate,
        ranges: probe.ranges,
        content: caller.content,
        cacheControl: probe.cacheControl,
        pinned: false,
      };
    };
    // awaited: the room is promised until the task itself counts
    const task = await this.#shelf.findOrCreate(id, this.#nowMs(), make);
    this.counters.registered(isNew ? "new" : "known");
    if (isNew) task.torrent.once("piece", () => this.counters.firstPiece((performance.now() - beganMs) / 1000));
    return task;
  }

  #identify(ask: { request: Request; caller: Caller; probe: Probe; isPrivate: boolean }): TaskId {
    const { request, caller, probe, isPrivate } = ask;
    const salt = isPrivate ? this.#options.salt : undefined;
    const facts = { request, lengthBytes: probe.lengthBytes as number, validators: probe.validators };
    const identified = hasValidators(probe.validators) || (request.digest !== undefined && !isPrivate);
    if (identified || isRegistryBlob(request)) return taskIdOf({ ...facts, salt });
    return this.#unversioned.identify(isPrivate ? caller.key : caller.content, {
      lengthBytes: facts.lengthBytes,
      nowMs: this.#nowMs(),
      freshMs: readCacheControl(probe.cacheControl).freshMs,
      isLive: (id) => this.#shelf.find(id)?.state === "live",
      make: () => taskIdOf({ ...facts, salt: Buffer.concat([salt ?? Buffer.alloc(0), randomBytes(32)]) }),
    });
  }

  /** Goes on with what is missing, as it was asked for last. */
  #resume(task: SeederTask): void {
    task.fetch({ origin: this.#options.origin, request: task.stored.request, probe: probeOf(task) });
  }
}

/** What the origin said when the task began. */
function probeOf({ stored, torrent }: SeederTask): Probe {
  const { ranges, validators, name, cacheControl } = stored;
  return { lengthBytes: torrent.geometry.lengthBytes, ranges, validators, name, cacheControl };
}

function parseWindow(range: string | undefined): OriginRequest["window"] {
  if (range === undefined) return undefined;
  const [firstByte, lastByte] = range.split("-").map(Number);
  if (lastByte < firstByte) throw new SkimmerError("bad_request", `the range ${range} ends before it begins`);
  return { firstByte, lastByte };
}
