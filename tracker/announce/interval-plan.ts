/**
 * How often peers are asked to announce: as configured, and less often while more announces come in than is comfortable. Decides.
 * Invariant: the interval is between the configured one and MOST_STRETCH times that; a peer is kept for twice the longest interval that
 * it may have been told.
 */
const WINDOW_MS = 10_000;
/** About half of what one core answers over HTTP. */
const COMFORTABLE_PER_SECOND = 15_000;
const MOST_STRETCH = 15;
/** Peers may ask sooner than the interval when they lack peers, but no sooner than this, stretched alike. */
const LEAST_INTERVAL_S = 5;

export class IntervalPlan {
  readonly #baseMs: number;
  #stretch = 1;
  /** The longest stretch that peers may still go by. */
  #held = 1;
  #count = 0;
  #startMs = 0;

  constructor(options: { intervalMs: number }) {
    this.#baseMs = options.intervalMs;
  }

  get intervalS(): number {
    return Math.ceil((this.#baseMs * this.#stretch) / 1000);
  }

  get minIntervalS(): number {
    return Math.min(this.intervalS, Math.ceil(LEAST_INTERVAL_S * this.#stretch));
  }

  /** A peer that is silent for longer is forgotten. */
  get expireMs(): number {
    return this.#baseMs * 2 * this.#held;
  }

  /** An announce came. */
  note(nowMs: number): void {
    this.#count++;
    const passedMs = nowMs - this.#startMs;
    if (passedMs < WINDOW_MS) return;
    const load = this.#count / (passedMs / 1000) / COMFORTABLE_PER_SECOND;
    // the load follows the interval, so each window corrects what is left of the difference
    this.#stretch = Math.min(MOST_STRETCH, Math.max(1, this.#stretch * Math.min(2, Math.max(0.5, load))));
    this.#held = Math.max(this.#stretch, this.#held * Math.max(0, 1 - passedMs / (this.#baseMs * 2 * this.#held)), 1);
    this.#startMs = nowMs;
    this.#count = 0;
  }
}
