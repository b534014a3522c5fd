/**
 * Which supernodes to ask, in which order: the given order, without those that failed just now. Decides.
 * One that refused the connection costs nothing to ask again; one that kept us waiting is left out for a while.
 */

export type SupernodeFailure = "refused" | "slow" | "nonsense";

const FIRST_ASIDE_MS = 5_000;
const MAX_ASIDE_MS = 60_000;
/** More remembered failures than this: the oldest is forgotten. */
const MAX_REMEMBERED = 256;

interface Aside {
  readonly failure: SupernodeFailure;
  readonly failures: number;
  readonly untilMs: number;
}

export class SupernodeList {
  readonly #aside = new Map<string, Aside>();

  /** Those to ask now; empty where all are set aside for being slow or confused. */
  candidates(urls: readonly string[], nowMs: number): string[] {
    const isAside = (url: string): boolean => (this.#aside.get(url)?.untilMs ?? Number.NEGATIVE_INFINITY) > nowMs;
    const good = urls.filter((url) => !isAside(url));
    const quickToFail = urls.filter((url) => isAside(url) && this.#aside.get(url)?.failure === "refused");
    return [...good, ...quickToFail];
  }

  failed(url: string, failure: SupernodeFailure, nowMs: number): void {
    const failures = (this.#aside.get(url)?.failures ?? 0) + 1;
    const asideMs = Math.min(MAX_ASIDE_MS, FIRST_ASIDE_MS * 2 ** Math.min(failures - 1, 10));
    this.#aside.delete(url);
    this.#aside.set(url, { failure, failures, untilMs: nowMs + asideMs });
    const [oldest] = this.#aside.keys();
    if (this.#aside.size > MAX_REMEMBERED) this.#aside.delete(oldest);
  }

  worked(url: string): void {
    this.#aside.delete(url);
  }
}
