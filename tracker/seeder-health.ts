/**
 * Which seeders are asked: one that failed by its own fault twice in a row sits out for a while, longer each time, and then has another
 * try. Decides. Invariant: where all sit out, all are asked; one that works is back in full.
 */
const FAULTS_BEFORE_REST = 2;
const FIRST_REST_MS = 15_000;
const MOST_REST_MS = 5 * 60_000;
const MOST_KNOWN = 1000;

interface Health {
  faults: number;
  restUntilMs: number;
}

export class SeederHealth {
  readonly #health = new Map<string, Health>();

  worked(seeder: string): void {
    this.#health.delete(seeder);
  }

  failed(seeder: string, nowMs: number): void {
    const health = this.#health.get(seeder) ?? { faults: 0, restUntilMs: 0 };
    health.faults++;
    const over = health.faults - FAULTS_BEFORE_REST;
    if (over >= 0) health.restUntilMs = nowMs + Math.min(MOST_REST_MS, FIRST_REST_MS * 2 ** Math.min(over, 10));
    this.#health.delete(seeder);
    this.#health.set(seeder, health);
    if (this.#health.size > MOST_KNOWN) this.#health.delete(this.#health.keys().next().value as string);
  }

  isResting(seeder: string, nowMs: number): boolean {
    return (this.#health.get(seeder)?.restUntilMs ?? 0) > nowMs;
  }

  /** Those that are asked, in their order. */
  usable(seeders: readonly string[], nowMs: number): readonly string[] {
    const well = seeders.filter((seeder) => !this.isResting(seeder, nowMs));
    return well.length === 0 ? seeders : well;
  }
}
