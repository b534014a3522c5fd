/**
 * One origin host as all tasks share it: its connections, its rate, its pauses, its counters. Drives.
 *
 * Invariant: whoever entered leaves, also on failure. A host that answers 429 or 503 gets no new reads before its
 * Retry-After has passed, whichever task it told.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../system/clock.ts";
import { Limiter } from "../system/limiter.ts";
import { type Entry, HostGate } from "./host-gate.ts";
import { OriginStatusError } from "./origin-status-error.ts";
import { retryDelayMs } from "./retry-delay.ts";
import type { AskOptions, ChunkSink, OriginHostStats, OriginLimits } from "./types.ts";

export interface OriginHostOptions {
  readonly host: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits: Required<OriginLimits>;
  /** The limiter over all hosts. */
  readonly total: Limiter;
}

/** Statuses counted apart; beyond that an origin only makes up numbers. */
const MOST_STATUSES = 64;

/** Counters of one host, or of all. */
export class OriginCounters {
  requests = 0;
  bytes = 0;
  failures = 0;
  readonly statuses: Record<number, number> = {};
  #statusCount = 0;

  countStatus(status: number): void {
    if (this.statuses[status] === undefined && ++this.#statusCount > MOST_STATUSES) return;
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
  }
}

export class OriginHost {
  readonly #options: OriginHostOptions;
  readonly #gate: HostGate;
  readonly #limiter: Limiter;
  readonly #own = new OriginCounters();
  #pausedUntilMs = 0;
  #busyAnswers = 0;

  constructor(options: OriginHostOptions) {
    this.#options = options;
    this.#gate = new HostGate(options.limits.connectionsPerHost);
    this.#limiter = new Limiter(options.clock, options.limits.hostBytesPerSecond, options.total);
  }

  get idle(): boolean {
    return this.#gate.active === 0 && this.#gate.waiting === 0;
  }

  get stats(): OriginHostStats {
    const { requests, bytes, failures, statuses } = this.#own;
    const { active, waiting } = this.#gate;
    return { host: this.#options.host, requests, bytes, statuses: { ...statuses }, failures, active, waiting };
  }

  /** Tasks but this one that read from here, or wait to. */
  others(key: string): number {
    return this.#gate.others(key);
  }

  setLimits(limits: Required<OriginLimits>): void {
    this.#limiter.setRate(limits.hostBytesPerSecond);
    this.#gate.setLimit(limits.connectionsPerHost);
  }

  close(): void {
    this.#limiter.close();
  }

  /** Runs a probe or listing (no pause, first in the line) or a read on one of the host's connections. */
  async use<T>(
    task: { readonly key: string; readonly isProbe: boolean; readonly counters: OriginCounters } & AskOptions,
    run: (options: AskOptions) => Promise<T>,
  ): Promise<T> {
    const { signal } = task;
    if (!task.isProbe) await this.#pause(signal);
    const entry = await this.#enter(task, signal);
    const both = [this.#own, task.counters];
    for (const counters of both) counters.requests++;
    const onAnswer = (status: number): void => {
      for (const counters of both) counters.countStatus(status);
      task.onAnswer?.(status);
    };
    try {
      const result = await run({ signal, onAnswer });
      this.#busyAnswers = 0;
      return result;
    } catch (error) {
      // what we ended ourselves is no failure of the origin
      if (!signal.aborted) for (const counters of both) counters.failures++;
      if (error instanceof OriginStatusError && error.isBusy) this.#noteBusy(error);
      throw error;
    } finally {
      this.#gate.leave(entry);
    }
  }

  /** The sink, held to the limits and counted. Costs nothing but the count where no limit is set. */
  meter(sink: ChunkSink, counters: OriginCounters, onHeld: (() => void) | undefined): ChunkSink {
    return (chunk) => {
      this.#own.bytes += chunk.length;
      counters.bytes += chunk.length;
      const wait = this.#limiter.take(chunk.length);
      if (wait === undefined) return sink(chunk);
      onHeld?.();
      return wait.then(() => sink(chunk));
    };
  }

  async #pause(signal: AbortSignal): Promise<void> {
    for (;;) {
      const waitMs = this.#pausedUntilMs - this.#options.clock.nowMs();
      if (waitMs <= 0) return;
      await sleep(waitMs, undefined, { signal });
    }
  }

  #noteBusy(error: OriginStatusError): void {
    const delayMs = retryDelayMs({ tries: this.#busyAnswers++, retryAfterMs: error.retryAfterMs }, this.#options.random);
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#options.clock.nowMs() + delayMs);
  }

  #enter(task: { readonly key: string; readonly isProbe: boolean }, signal: AbortSignal): Promise<Entry> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        if (this.#gate.withdraw(entry)) reject(signal.reason);
      };
      const entry: Entry = {
        key: task.key,
        isProbe: task.isProbe,
        grant: () => {
          signal.removeEventListener("abort", onAbort);
          resolve(entry);
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#gate.enter(entry);
    });
  }
}
