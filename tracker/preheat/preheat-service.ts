/**
 * All preheats of a supernode: takes them, runs a few at once, tells how they stand. Drives; knows nothing of HTTP.
 *
 * Invariant: an accepted job is on disk before its caller hears of it, and a restart goes on with it. The same job is not run
 * twice at once: who asks for it again gets the one that is under way; once it has ended, it runs anew.
 */
import { randomInt } from "node:crypto";
import { join } from "node:path";
import type { CredentialStore } from "../../registry/docker-config.ts";
import type { RegistryTls } from "../../registry/registry-http.ts";
import type { Clock } from "../../system/clock.ts";
import { SkimmerError, toSkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import type { Reach } from "../../system/reach.ts";
import type { SeederTask } from "../../torrents/seeder-link.ts";
import { hasUrlSecrets } from "../../torrents/shown-url.ts";
import type { TaskRequest } from "../../torrents/task-api.ts";
import { errorBodyOf, finish, isOpen, type PreheatJob, type PreheatSpec, type PreheatState } from "./preheat-job.ts";
import { PreheatStore } from "./preheat-store.ts";
import { Registries } from "./registries.ts";
import { type PreheatTools, runPreheat } from "./run-preheat.ts";
import { Slots } from "./slots.ts";
import { TaskWatch } from "./task-watch.ts";

const MOST_OPEN = 1000;
/** Ended ones; the oldest go. */
const MOST_KEPT = 1000;
const JOBS_AT_ONCE = 8;
const FILES_AT_ONCE = 16;
const JOB_LIMIT_MS = 24 * 3_600_000;
/** Below 2⁴⁷, so that programs of every language can hold them. */
const MOST_ID = 2 ** 47;

export interface PreheatOptions {
  readonly data: string;
  readonly credentials: CredentialStore;
  readonly tls?: RegistryTls;
  /** Where registries may be; absent: anywhere. */
  readonly reach?: Reach;
  readonly resolve: (request: TaskRequest) => Promise<SeederTask>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class PreheatService implements AsyncDisposable {
  readonly watch = new TaskWatch();
  readonly #options: PreheatOptions;
  readonly #jobs = new Map<string, PreheatJob>();
  /** Id by spec, of jobs that are not over. */
  readonly #open = new Map<string, string>();
  readonly #running = new Map<string, AbortController>();
  readonly #ended = { success: 0, failed: 0, cancelled: 0 };
  readonly #store: PreheatStore;
  readonly #registries: Registries;
  readonly #tools: PreheatTools;
  #closed = false;

  private constructor(options: PreheatOptions) {
    this.#options = options;
    this.#store = new PreheatStore({ path: join(options.data, "preheats.json"), logger: options.logger });
    this.#registries = new Registries({ store: options.credentials, tls: options.tls ?? {}, reach: options.reach, clock: options.clock });
    this.#tools = { registries: this.#registries, resolve: options.resolve, watch: this.watch, slots: new Slots(FILES_AT_ONCE) };
  }

  /** Brings back the last run's jobs; unfinished ones go on. */
  static async open(options: PreheatOptions): Promise<PreheatService> {
    const service = new PreheatService(options);
    for (const job of await service.#store.open(() => service.#jobs.values())) {
      service.#jobs.set(job.id, job);
      if (!isOpen(job)) continue;
      job.state = "waiting";
      service.#open.set(keyOf(job.spec), job.id);
    }
    service.#next();
    return service;
  }

  /** A new job, or the one that does the same just now. Rejects with `busy` where too many wait. */
  async create(spec: PreheatSpec): Promise<PreheatJob> {
    const known = this.#jobs.get(this.#open.get(keyOf(spec)) ?? "");
    if (known !== undefined) return known;
    if (this.#open.size >= MOST_OPEN) {
      throw new SkimmerError("busy", `${MOST_OPEN} preheats are waiting already`, {
        retriable: true,
        hint: "Try again when some have ended.",
      });
    }
    const job: PreheatJob = {
      id: String(randomInt(1, MOST_ID)),
      spec,
      state: "waiting",
      private: isPrivate(spec),
      createdAtMs: Date.now(),
      files: { total: 0, done: 0, failed: 0 },
      lengthBytes: 0,
    };
    this.#jobs.set(job.id, job);
    this.#open.set(keyOf(spec), job.id);
    await this.#store.save();
    this.#next();
    return job;
  }

  /** Throws SkimmerError `not_found`. */
  get(id: string): PreheatJob {
    const job = this.#jobs.get(id);
    if (job === undefined) throw new SkimmerError("not_found", `no preheat ${id.slice(0, 80)}`);
    return job;
  }

  /** Those that were made without credentials, the latest first. */
  list(page: { limit: number; offset: number }): PreheatJob[] {
    const open = [...this.#jobs.values()].filter((job) => !job.private).reverse();
    return open.slice(page.offset, page.offset + page.limit);
  }

  /** Stops an unfinished job (what its seeders have stays), forgets a finished one. Throws `not_found`. */
  async delete(id: string): Promise<void> {
    const job = this.get(id);
    if (isOpen(job)) {
      this.#finish(job, "cancelled");
      this.#running.get(id)?.abort(new SkimmerError("cancelled", "the preheat was cancelled"));
    } else this.#jobs.delete(id);
    await this.#store.save();
  }

  /** Jobs by state: those that wait and run now, those that ended since the start. */
  counts(): Readonly<Record<PreheatState, number>> {
    const running = this.#running.size;
    return { waiting: this.#open.size - running, running, ...this.#ended };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const running of this.#running.values()) running.abort(new SkimmerError("cancelled", "the supernode ends"));
    await this.#store.save();
    await this.#registries[Symbol.asyncDispose]();
  }

  #next(): void {
    for (const id of this.#open.values()) {
      if (this.#closed || this.#running.size >= JOBS_AT_ONCE) return;
      const job = this.#jobs.get(id);
      if (job?.state === "waiting") void this.#run(job);
    }
  }

  async #run(job: PreheatJob): Promise<void> {
    const control = new AbortController();
    this.#running.set(job.id, control);
    Object.assign(job, { state: "running", startedAtMs: Date.now() });
    this.#store.changed();
    const late = setTimeout(() => control.abort(new SkimmerError("timeout", "the preheat took longer than a day")), JOB_LIMIT_MS);
    try {
      await runPreheat(job, this.#tools, control.signal);
      this.#finish(job, "success");
    } catch (thrown) {
      // one that the end of the supernode cuts off goes on at the next start
      if (!this.#closed) this.#finish(job, "failed", thrown);
    } finally {
      clearTimeout(late);
      this.#running.delete(job.id);
      this.#next();
    }
  }

  #finish(job: PreheatJob, state: "success" | "failed" | "cancelled", error?: unknown): void {
    if (!isOpen(job)) return;
    this.#open.delete(keyOf(job.spec));
    finish(job, { state, nowMs: Date.now(), error });
    this.#ended[state]++;
    this.#trim();
    this.#store.changed();
    const { id, files, lengthBytes } = job;
    const cause = error === undefined ? undefined : errorBodyOf(toSkimmerError(error)).message;
    this.#options.logger[state === "failed" ? "warn" : "info"]({ id, state, files, lengthBytes, err: cause }, "preheat ended");
  }

  #trim(): void {
    let surplus = this.#jobs.size - this.#open.size - MOST_KEPT;
    for (const [id, job] of this.#jobs) {
      if (surplus <= 0) return;
      if (isOpen(job)) continue;
      this.#jobs.delete(id);
      surplus--;
    }
  }
}

/** Whether it may be of private content: such jobs are not listed. */
function isPrivate(spec: PreheatSpec): boolean {
  const { url, headers } = spec.kind === "file" ? spec.request : { url: spec.target.base, headers: spec.headers };
  return spec.credentials !== undefined || spec.ownCredentials === true || Object.keys(headers).length > 0 || hasUrlSecrets(url);
}

function keyOf(spec: PreheatSpec): string {
  return JSON.stringify(spec);
}
