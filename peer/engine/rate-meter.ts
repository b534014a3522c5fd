/**
 * Bytes per second over the last two seconds or so. Decides: time is an argument.
 */

const WINDOW_MS = 1000;

export class RateMeter {
  #previous = 0;
  #current = 0;
  #startMs = 0;
  #lastTotal = 0;

  add(bytes: number, nowMs: number): void {
    this.#roll(nowMs);
    this.#current += bytes;
  }

  rate(nowMs: number): number {
    this.#roll(nowMs);
    const elapsedMs = nowMs - this.#startMs;
    const weight = Math.max(0, 1 - elapsedMs / WINDOW_MS);
    return ((this.#previous * weight + this.#current) / WINDOW_MS) * 1000;
  }

  /** The rate of a counter that somebody else keeps. */
  rateOfTotal(total: number, nowMs: number): number {
    this.add(total - this.#lastTotal, nowMs);
    this.#lastTotal = total;
    return this.rate(nowMs);
  }

  #roll(nowMs: number): void {
    const elapsedMs = nowMs - this.#startMs;
    if (elapsedMs < WINDOW_MS) return;
    this.#previous = elapsedMs < 2 * WINDOW_MS ? this.#current : 0;
    this.#current = 0;
    this.#startMs = nowMs;
  }
}
