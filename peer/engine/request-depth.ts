/**
 * How many bytes to have on order at one peer: its rate × (round trip + a queue of QUEUE_SECONDS). Decides.
 *
 * While the peer answers faster than that, the product grows with every measurement, like TCP's slow start; once its link is
 * full the queue there stays short, so that a new piece is not stuck behind many old ones. Until a measurement tells what the peer gives, each
 * byte that came is one more to order: the depth doubles with each round trip.
 */

export const QUEUE_SECONDS = 0.15;
const MEASURE_MS = 100;
const MOST_BYTES = 4 * 1024 * 1024;
const RATE_WEIGHT = 0.5;
/** A rate that is older than this says nothing. */
const FORGET_MS = 1000;
/** The rate is measured a round trip late: a peer that still follows (transmission sends every 0.5 s what was on order) shows half of it. */
const OPENING_SLACK = 2;

export class RequestDepth {
  readonly #leastBytes: number;
  #rate = 0;
  #windowBytes = 0;
  #windowStartMs: number;
  #roundTripMs = 0;
  /** What came before the rate was known to need less. */
  #openingBytes = 0;
  #isOpening = true;

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
    return Math.min(MOST_BYTES, Math.max(this.#leastBytes + (this.#isOpening ? this.#openingBytes : 0), this.#neededBytes));
  }

  get #neededBytes(): number {
    return this.#rate * this.#secondsAhead;
  }

  get #secondsAhead(): number {
    return QUEUE_SECONDS + Math.min(this.#roundTripMs, 1000) / 1000;
  }

  /** The first bytes after an idle time took this long: the round trip. A long idle time is no measurement. */
  onFirstAnswer(elapsedMs: number, nowMs: number): void {
    this.#roundTripMs = this.#roundTripMs === 0 ? elapsedMs : Math.min(this.#roundTripMs, elapsedMs);
    if (nowMs - elapsedMs - this.#windowStartMs <= FORGET_MS) return;
    this.#rate = 0;
    this.#windowBytes = 0;
    this.#windowStartMs = nowMs - elapsedMs;
  }

  onBytes(count: number, nowMs: number): void {
    this.#windowBytes += count;
    this.#openingBytes += count;
    const elapsedMs = nowMs - this.#windowStartMs;
    if (elapsedMs < MEASURE_MS) return;
    const rate = (this.#windowBytes / elapsedMs) * 1000;
    this.#rate = elapsedMs > FORGET_MS || this.#rate === 0 ? rate : this.#rate * (1 - RATE_WEIGHT) + rate * RATE_WEIGHT;
    this.#windowBytes = 0;
    this.#windowStartMs = nowMs;
    if (rate * this.#secondsAhead * OPENING_SLACK < this.#openingBytes) this.#isOpening = false;
  }
}
