/**
 * A token bucket in bytes. Decides: time is an argument.
 *
 * Takes may overdraw once (a block is never split), and the debt is waited off before the next take, so that over any
 * second the rate holds whatever the block length. Rate 0 is unlimited.
 */

/** Most credit that an idle bucket collects, as a share of a second. */
const BURST_SECONDS = 0.2;

export class TokenBucket {
  #bytesPerSecond: number;
  #tokens: number;
  #updatedMs: number;

  constructor(bytesPerSecond: number, nowMs: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#tokens = 0;
    this.#updatedMs = nowMs;
  }

  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  setRate(bytesPerSecond: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#bytesPerSecond = bytesPerSecond;
    this.#tokens = Math.min(this.#tokens, bytesPerSecond * BURST_SECONDS);
  }

  /** Milliseconds until a take is allowed; 0: now. */
  waitMs(nowMs: number): number {
    if (this.#bytesPerSecond === 0) return 0;
    this.#refill(nowMs);
    return this.#tokens > 0 ? 0 : Math.max(1, Math.ceil((-this.#tokens / this.#bytesPerSecond) * 1000));
  }

  /** Takes the bytes; the caller asked waitMs() first. */
  take(bytes: number): void {
    if (this.#bytesPerSecond > 0) this.#tokens -= bytes;
  }

  /** Gives back bytes that were taken but never moved. */
  refund(bytes: number): void {
    this.take(-bytes);
  }

  #refill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#updatedMs);
    this.#updatedMs = nowMs;
    this.#tokens = Math.min(this.#bytesPerSecond * BURST_SECONDS, this.#tokens + (elapsedMs / 1000) * this.#bytesPerSecond);
  }
}
