/**
 * How often something may happen: `burst` at once, `perSecond` in the long run. Decides: time is an argument.
 */

export interface EventRate {
  readonly perSecond: number;
  readonly burst: number;
}

export class EventBudget {
  readonly #rate: EventRate;
  #left: number;
  #atMs: number;

  constructor(rate: EventRate, nowMs: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#atMs = nowMs;
  }

  /** Whether it may happen now, once more or for as much as it costs; then it counts. What costs more than the burst never may. */
  take(nowMs: number, cost = 1): boolean {
    const elapsedSeconds = Math.max(0, nowMs - this.#atMs) / 1000;
    this.#atMs = nowMs;
    this.#left = Math.min(this.#rate.burst, this.#left + elapsedSeconds * this.#rate.perSecond);
    if (this.#left < cost) return false;
    this.#left -= cost;
    return true;
  }
}
