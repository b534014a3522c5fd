/** Answer times in a histogram of 10 µs steps: adding one is cheap, however many there are. */

const STEP_MS = 0.01;
const STEPS = 100_000;

export class Latencies {
  readonly #counts = new Uint32Array(STEPS);
  #total = 0;

  add(ms: number): void {
    this.#counts[Math.min(STEPS - 1, Math.max(0, Math.floor(ms / STEP_MS)))]++;
    this.#total++;
  }

  get total(): number {
    return this.#total;
  }

  /** Milliseconds within which that share of the answers came. */
  quantile(share: number): number {
    let seen = 0;
    for (let step = 0; step < STEPS; step++) {
      seen += this.#counts[step];
      if (seen >= this.#total * share) return (step + 1) * STEP_MS;
    }
    return 0;
  }
}
