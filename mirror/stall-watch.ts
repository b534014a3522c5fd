/**
 * Tells when a source has been silent for too long while somebody waits for it. Drives one timer; the time that the reader
 * himself takes does not count.
 */
import { SkimmerError } from "../system/errors.ts";

export class StallWatch implements Disposable {
  readonly #control = new AbortController();
  readonly #laterMs: number;
  #timer: NodeJS.Timeout | undefined;

  /** `firstMs` for the first bytes, `laterMs` between later ones. */
  constructor(options: { firstMs: number; laterMs: number }) {
    this.#laterMs = options.laterMs;
    this.#wait(options.firstMs);
  }

  /** Aborts with SkimmerError `no_progress`. */
  get signal(): AbortSignal {
    return this.#control.signal;
  }

  /** Bytes came, and go to the reader; call the answer when he took them. */
  pause(): () => void {
    clearTimeout(this.#timer);
    return () => this.#wait(this.#laterMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#control.abort(new SkimmerError("no_progress", `nothing came for ${ms} ms`)), ms);
  }
}
