/**
 * The download limits of one host: the host's rate, the rate of each priority class, the rate of each task. Wires limiters.
 * Bytes of the wire and of the origin are taken from the same leaf, so that they never add up beyond a limit.
 *
 * Tasks that compete for a rate get shares by priority: each level has twice the share of the level below it.
 */
import type { Clock } from "../../system/clock.ts";
import { Limiter } from "../../system/limiter.ts";

/** Priorities are 0 (most urgent) to 6, as Dragonfly v2 counts them. */
export const LEAST_PRIORITY = 6;
export const NORMAL_PRIORITY = 3;

export class DownloadShares {
  readonly #clock: Clock;
  readonly #host: Limiter;
  readonly #classes: readonly Limiter[];

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#host = new Limiter(clock, bytesPerSecond);
    this.#classes = Array.from({ length: LEAST_PRIORITY + 1 }, () => new Limiter(clock, 0, this.#host));
  }

  /** Bytes per second of all downloads together; 0 is unlimited. Holds at once. */
  setRate(bytesPerSecond: number): void {
    this.#host.setRate(bytesPerSecond);
  }

  /** Bytes per second of all downloads of a priority together; 0 is unlimited. Holds at once. */
  setClassRate(priority: number, bytesPerSecond: number): void {
    this.#classes[priority].setRate(bytesPerSecond);
  }

  /** The share of one task; the caller closes it. */
  open(bytesPerSecond: number, priority = NORMAL_PRIORITY): DownloadShare {
    return new DownloadShare(new Limiter(this.#clock, bytesPerSecond), { classes: this.#classes, priority });
  }

  close(): void {
    for (const limiter of [...this.#classes, this.#host]) limiter.close();
  }
}

/** What one task may take. */
export class DownloadShare implements Disposable {
  readonly limiter: Limiter;
  readonly #classes: readonly Limiter[];
  #priority: number | undefined;

  constructor(limiter: Limiter, place: { classes: readonly Limiter[]; priority: number }) {
    this.limiter = limiter;
    this.#classes = place.classes;
    this.setPriority(place.priority);
  }

  /** Holds at once, as a rate does. */
  setPriority(priority: number): void {
    if (priority === this.#priority) return;
    this.#priority = priority;
    this.limiter.move({ parent: this.#classes[priority], weight: 2 ** (LEAST_PRIORITY - priority) });
  }

  [Symbol.dispose](): void {
    this.limiter.close();
  }
}
