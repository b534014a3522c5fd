/**
 * Picks the peers of an answer out of scored candidates. Decides. Hot path: arrays that are used again and again, no objects.
 *
 * Most places go to the best scores (among equals at random), a few to any of the rest. Invariant: no candidate is picked twice, and
 * where there are enough candidates all places are filled.
 */
import { ENOUGH_NEAR, FAR_BESIDE_NEAR, FAR_SHARE, MOST_SCORE } from "./peer-score.ts";

/** Candidates that are looked at for one answer; from larger swarms so many are drawn, evenly spread. */
export const MOST_CANDIDATES = 2048;
export const MOST_PICKS = 80;

export class Candidates {
  /** What was picked, after pick(). */
  readonly picked = new Int32Array(MOST_PICKS);
  pickedCount = 0;
  /** The candidates, whom gather-candidates.ts writes in place; good as far as `count`. */
  readonly records = new Int32Array(MOST_CANDIDATES);
  readonly scores = new Uint16Array(MOST_CANDIDATES);
  count = 0;
  /** Candidates by score; their sum is `count`. */
  readonly histogram = new Int32Array(MOST_SCORE + 1);
  /** Those of which nearness alone came to NEAR_SCORE. */
  nearCount = 0;
  readonly #rest = new Int32Array(MOST_CANDIDATES);

  clear(): void {
    this.count = 0;
    this.pickedCount = 0;
    this.nearCount = 0;
    this.histogram.fill(0);
  }

  /** `stayNear`: where there are enough near ones, only a few places go to far ones, and some may stay empty. */
  pick(wanted: number, options: { readonly stayNear: boolean; readonly random: () => number }): void {
    if (wanted <= 0) return;
    const stayNear = options.stayNear && this.nearCount >= ENOUGH_NEAR;
    const share = stayNear ? FAR_BESIDE_NEAR : Math.max(1, Math.floor(wanted * FAR_SHARE));
    const far = wanted < 4 ? 0 : share;
    const best = stayNear ? Math.min(this.nearCount, wanted - far) : wanted - far;
    if (this.count <= best + far) {
      for (let at = 0; at < this.count; at++) this.picked[this.pickedCount++] = this.records[at];
      return;
    }
    const rest = this.#pickBest(best, options.random);
    this.#pickRest(far, rest, options.random);
  }

  /** The best `places`; answers how many are left in `#rest`. */
  #pickBest(places: number, random: () => number): number {
    let threshold = MOST_SCORE;
    let above = 0;
    while (above + this.histogram[threshold] < places) above += this.histogram[threshold--];
    // those at the threshold all have the same chance: every so-manieth is taken, from a random one on
    const equals = this.histogram[threshold];
    const needed = places - above;
    let due = Math.floor(random() * equals);
    let rest = 0;
    for (let at = 0; at < this.count; at++) {
      const score = this.scores[at];
      if (score === threshold) due += needed;
      if (score > threshold || due >= equals) this.picked[this.pickedCount++] = this.records[at];
      else this.#rest[rest++] = this.records[at];
      if (score === threshold && due >= equals) due -= equals;
    }
    return rest;
  }

  /** Any `places` of the first `count` in `#rest`. */
  #pickRest(places: number, count: number, random: () => number): void {
    for (let at = 0; at < places && at < count; at++) {
      const other = at + Math.floor(random() * (count - at));
      this.picked[this.pickedCount++] = this.#rest[other];
      this.#rest[other] = this.#rest[at];
    }
  }
}
