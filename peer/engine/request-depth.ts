/**
 * How many bytes to have on order at one peer: its rate × (round trip + a queue of QUEUE_SECONDS). Decides.
 *
 * While the peer answers faster than that, the product grows with every measurement, like TCP's slow start; once its link is
 * full the queue there stays short, so that a new piece is not stuck behind many old ones.
 */

export const QUEUE_SECONDS = 0.15;
const MEASURE_MS = 100;
const MOST_BYTES = 4 * 1024 * 1024;
const RATE_WEIGHT = 0.5;

export class RequestDepth {
  readonly #leastBytes: number;
  #rate = 0;
  #windowBytes = 0;
  #windowStartMs: number;
  #roundTripMs = 0;

  constructor(leastBytes: number, nowMs: number) {
    this.#leastBytes = leastBytes;
    this.#windowStartMs = nowMs;
  }

  /** Smoothed bytes per second. */
  get bytesPerSecond(): number {
    return this.#rate;
  }

  /** 0 while it is not known. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  get targetBytes(): number {
    const seconds = QUEUE_SECONDS + Math.min(this.#roundTripMs, 1000) / 1000;
    return Math.min(MOST_BYTES, Math.max(this.#leastBytes, this.#rate * seconds));
  }

  /** The first bytes after an idle time took this long: the round trip. */
  onFirstAnswer(elapsedMs: number): void {
    this.#roundTripMs = this.#roundTripMs === 0 ? elapsedMs : Math.min(this.#roundTripMs, elapsedMs);
  }

  onBytes(count: number, nowMs: number): void {
    this.#windowBytes += count;
    const elapsedMs = nowMs - this.#windowStartMs;
    if (elapsedMs < MEASURE_MS) return;
    const rate = (this.#windowBytes / elapsedMs) * 1000;
    this.#rate = elapsedMs > 10 * MEASURE_MS ? rate : this.#rate * (1 - RATE_WEIGHT) + rate * RATE_WEIGHT;
    this.#windowBytes = 0;
    this.#windowStartMs = nowMs;
  }
}
