/**
 * The passive CDN: resolves requests to tasks, fetches each task from its origin once, and seeds it.
 *
 * Every resolve asks the origin with that caller's own headers, so that nobody gets what the origin refuses him, and a
 * changed file is another task. Invariant: one probe per caller and URL at a time, one task per identity.
 */
import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import { spoolOrigin } from "../origin/spool.ts";
import type { Origin, OriginRequest, Probe } from "../origin/types.ts";
import type { Engine } from "../peer/engine/types.ts";
import { SkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import { publicKeyBytes } from "../torrents/cluster-key.ts";
import { choosePieceLength } from "../torrents/geometry.ts";
import type { TaskId } from "../torrents/ids.ts";
import { encodeLiveInfo, parseLiveInfo } from "../torrents/live-info.ts";
import type { SeederTask as TaskShape } from "../torrents/seeder-link.ts";
import { INLINE_BYTES, type TaskRequest } from "../torrents/task-api.ts";
import { originKey, taskIdOf } from "../torrents/task-identity.ts";
import { callerKey, hasCredentials } from "./credentials.ts";
import { SeederTask } from "./seeder-task.ts";
import { type StoredTask, TaskFiles } from "./task-files.ts";

const RESOLVE_LIMIT_MS = 60_000;
/** A refusal is shared with callers of the same headers for this long. */
const NEGATIVE_MS = 2000;

type Request = Omit<TaskRequest, "peer">;

export interface SeederOptions {
  readonly engine: Engine;
  readonly origin: Origin;
  readonly key: KeyObject;
  readonly salt: Buffer;
  readonly data: string;
  readonly logger: Logger;
  readonly throttle?: (bytes: number) => Promise<void> | undefined;
  /** A task's state changed, or (undefined shape) it is gone. */
  onChange(id: TaskId, shape: TaskShape | undefined): void;
}

export class Seeder {
  readonly #options: SeederOptions;
  readonly #files: TaskFiles;
  readonly #tasks = new Map<TaskId, SeederTask>();
  readonly #opening = new Map<TaskId, Promise<SeederTask>>();
  readonly #resolving = new Map<string, Promise<TaskShape>>();

  constructor(options: SeederOptions) {
    this.#options = options;
    this.#files = new TaskFiles(join(options.data, "tasks"));
  }

  get shapes(): TaskShape[] {
    return [...this.#tasks.values()].map((task) => task.shape);
  }

  /** Brings the tasks of the last run back; unfinished ones go on at once. */
  async restore(): Promise<void> {
    for (const stored of await this.#files.loadAll()) {
      try {
        const task = await this.#open(stored);
        const { lengthBytes } = task.torrent.geometry;
        const probe: Probe = { lengthBytes, ranges: stored.ranges, validators: stored.validators, name: stored.name, cacheControl: "" };
        task.fetch({ origin: this.#options.origin, request: stored.request, probe, throttle: this.#options.throttle });
      } catch (error) {
        this.#options.logger.warn({ task: stored.id, err: String(error) }, "stored task cannot be opened");
      }
    }
  }

  /** The task behind a request. Rejects with SkimmerError (what the origin said, `disk_full`, …). */
  resolve(request: Request): Promise<TaskShape> {
    const key = `${originKey(request)} ${callerKey(request.headers)}`;
    const running = this.#resolving.get(key);
    if (running !== undefined) return running;
    const resolving = this.#resolve(request);
    this.#resolving.set(key, resolving);
    const forget = (): void => void this.#resolving.delete(key);
    resolving.then(forget, () => setTimeout(forget, NEGATIVE_MS).unref());
    return resolving;
  }

  async delete(id: TaskId): Promise<void> {
    const task = this.#tasks.get(id);
    if (task === undefined) throw new SkimmerError("not_found", `no task ${id}`);
    this.#tasks.delete(id);
    await task.stop();
    await this.#options.engine.remove(task.torrent);
    await this.#files.remove(id);
    this.#options.onChange(id, undefined);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#tasks.values()].map((task) => task.stop()));
  }

  async #resolve(request: Request): Promise<TaskShape> {
    const signal = AbortSignal.timeout(RESOLVE_LIMIT_MS);
    const source: OriginRequest = { url: request.url, headers: request.headers, window: parseWindow(request.range) };
    const probe = await this.#options.origin.probe(source, { signal });
    if (probe.lengthBytes === undefined) return this.#resolveUnknownLength(request, source, probe);
    const task = await this.#taskFor(request, source, probe);
    task.fetch({ origin: this.#options.origin, request: source, probe, throttle: this.#options.throttle });
    if (probe.lengthBytes <= INLINE_BYTES) await task.settled(signal);
    if (task.state === "failed" && task.error !== undefined) throw task.error;
    return task.shape;
  }

  /** Spooled first, then an ordinary task; the spool goes when the task has the bytes. */
  async #resolveUnknownLength(request: Request, source: OriginRequest, probe: Probe): Promise<TaskShape> {
    const { origin, data, throttle } = this.#options;
    const signal = AbortSignal.timeout(SPOOL_LIMIT_MS);
    await using spool = await spoolOrigin({ folder: join(data, "spool"), origin, request: source, probe, signal });
    const task = await this.#taskFor(request, source, spool.probe);
    task.fetch({ origin: spool.origin, request: source, probe: spool.probe, throttle });
    await task.settled(signal);
    if (task.error !== undefined) throw task.error;
    return task.shape;
  }

  async #taskFor(request: Request, source: OriginRequest, probe: Probe): Promise<SeederTask> {
    const lengthBytes = probe.lengthBytes as number;
    const isPrivate = hasCredentials(request);
    const id = taskIdOf({ request, lengthBytes, validators: probe.validators, salt: isPrivate ? this.#options.salt : undefined });
    const known = this.#tasks.get(id) ?? (await this.#opening.get(id));
    if (known !== undefined) return known;
    const liveInfo = encodeLiveInfo({
      name: probe.name,
      lengthBytes,
      pieceLengthBytes: request.pieceLengthBytes ?? choosePieceLength(lengthBytes),
      key: publicKeyBytes(this.#options.key),
      task: Buffer.from(id, "hex"),
    });
    const stored: StoredTask = {
      id,
      request: source,
      name: probe.name,
      liveInfo,
      validators: probe.validators,
      private: isPrivate,
      ranges: probe.ranges,
    };
    const opening = this.#create(stored).finally(() => this.#opening.delete(id));
    this.#opening.set(id, opening);
    return opening;
  }

  async #create(stored: StoredTask): Promise<SeederTask> {
    const task = await this.#open(stored);
    await this.#files.save(stored);
    return task;
  }

  async #open(stored: StoredTask): Promise<SeederTask> {
    const { engine, key, logger, onChange } = this.#options;
    const { geometry, name } = parseLiveInfo(stored.liveInfo);
    const torrent = await engine.add({
      directory: this.#files.directoryOf(stored.id),
      name,
      geometry,
      liveInfo: stored.liveInfo,
      signer: key,
    });
    const task = new SeederTask({ stored, torrent, logger, onChange: (changed) => onChange(stored.id, changed.shape) });
    this.#tasks.set(stored.id, task);
    return task;
  }
}

const SPOOL_LIMIT_MS = 6 * 3_600_000;

function parseWindow(range: string | undefined): OriginRequest["window"] {
  if (range === undefined) return undefined;
  const [firstByte, lastByte] = range.split("-").map(Number);
  if (lastByte < firstByte) throw new SkimmerError("bad_request", `the range ${range} ends before it begins`);
  return { firstByte, lastByte };
}
