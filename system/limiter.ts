/**
 * A chain of token buckets (task, then host) with one wake-up for whoever had to wait.
 * Drives a timer only while somebody waits; costs two comparisons where no limit is set.
 */
import type { Clock } from "./clock.ts";
import { TokenBucket } from "./token-bucket.ts";

/** One level of the hierarchy. */
export class Limiter {
  readonly #clock: Clock;
  readonly #bucket: TokenBucket;
  readonly #parent: Limiter | undefined;
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock, bytesPerSecond: number, parent?: Limiter) {
    this.#clock = clock;
    this.#bucket = new TokenBucket(bytesPerSecond, clock.nowMs());
    this.#parent = parent;
  }

  get bytesPerSecond(): number {
    return this.#bucket.bytesPerSecond;
  }

  /** 0 is unlimited. Holds at once: waiters are woken. */
  setRate(bytesPerSecond: number): void {
    this.#bucket.setRate(bytesPerSecond, this.#clock.nowMs());
    this.#wake();
  }

  /** Takes `bytes` from every level, or none: then `retry` is called, once, when it is worth another try. */
  tryTake(bytes: number, retry: () => void): boolean {
    for (let level: Limiter | undefined = this; level !== undefined; level = level.#parent) {
      if (level.#bucket.bytesPerSecond === 0) continue;
      const waitMs = level.#bucket.waitMs(this.#clock.nowMs());
      if (waitMs === 0) continue;
      level.#waitFor(waitMs, retry);
      return false;
    }
    for (let level: Limiter | undefined = this; level !== undefined; level = level.#parent) level.#bucket.take(bytes);
    return true;
  }

  /** Gives back bytes that were taken but never moved. */
  refund(bytes: number): void {
    for (let level: Limiter | undefined = this; level !== undefined; level = level.#parent) level.#bucket.refund(bytes);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #waitFor(waitMs: number, retry: () => void): void {
    this.#waiting.delete(retry);
    this.#waiting.add(retry);
    this.#timer ??= setTimeout(() => this.#wake(), waitMs);
  }

  /** Oldest waiter first, so that shares stay fair: who takes goes to the end of the line. */
  #wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const retry of waiting) retry();
  }
}
