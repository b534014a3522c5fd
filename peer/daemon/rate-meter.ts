/** Bytes per second over the last few seconds, from readings of a growing total. Decides. */

const WINDOW_MS = 3_000;
const MAX_READINGS = 64;

export class RateMeter {
  readonly #readings: { readonly atMs: number; readonly total: number }[] = [];

  add(total: number, nowMs: number): void {
    this.#readings.push({ atMs: nowMs, total });
    while (this.#readings.length > MAX_READINGS || (this.#readings.length > 2 && this.#readings[1].atMs <= nowMs - WINDOW_MS)) this.#readings.shift();
  }

  get bytesPerSecond(): number {
    const first = this.#readings[0];
    const last = this.#readings.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    return Math.max(0, Math.round(((last.total - first.total) * 1000) / (last.atMs - first.atMs)));
  }
}
