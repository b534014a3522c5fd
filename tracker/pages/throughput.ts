/**
 * The last minutes of traffic, one sample every SAMPLE_MS, for the chart. Decides. Invariant: at most SAMPLES of them, the oldest go.
 */
export const SAMPLE_MS = 2_000;
/** Five minutes. */
const SAMPLES = 150;

/** Bytes per second that hosts received from each source, and that seeders fetched. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly origin: number;
  readonly seeder: number;
  readonly peers: number;
  readonly fetched: number;
}

export class Throughput {
  #samples: Sample[] = [];

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  get latest(): Sample | undefined {
    return this.#samples.at(-1);
  }

  add(sample: Sample): void {
    this.#samples = [...this.#samples.slice(1 - SAMPLES), sample];
  }
}
