/**
 * Which callers a registry let into which repository, or gave which of its blobs, and when. Decides: time is an argument.
 * Fresh for a minute: then the registry is asked again. Kept longer only for the time when the registry cannot be reached.
 * Bounded: the entry that was written longest ago goes; then the registry is asked again, nothing else is lost.
 */
const FRESH_MS = 60_000;
const MOST_ENTRIES = 50_000;

export interface AcceptedCaller {
  /** API address of the registry. */
  readonly base: string;
  readonly repository: string;
  /** callerKey() of the caller's credentials. */
  readonly caller: string;
  /** A blob that he was given; absent: something of the repository. */
  readonly digest?: string;
}

export class Acceptances {
  readonly #atMs = new Map<string, number>();

  /** The registry gave this caller the blob, or something of the repository, just now. */
  accept(who: AcceptedCaller, nowMs: number): void {
    const key = keyOf(who);
    this.#atMs.delete(key);
    this.#atMs.set(key, nowMs);
    if (this.#atMs.size > MOST_ENTRIES) this.#atMs.delete(this.#atMs.keys().next().value as string);
  }

  /** The registry refused him. */
  refuse(who: AcceptedCaller): void {
    this.#atMs.delete(keyOf(who));
  }

  /** Whether he needs no further question. */
  isFresh(who: AcceptedCaller, nowMs: number): boolean {
    return this.wasWithin(who, FRESH_MS, nowMs);
  }

  /** Whether he was let in within this time. */
  wasWithin(who: AcceptedCaller, withinMs: number, nowMs: number): boolean {
    const atMs = this.#atMs.get(keyOf(who));
    return atMs !== undefined && nowMs - atMs < withinMs;
  }
}

function keyOf({ base, repository, caller, digest }: AcceptedCaller): string {
  return JSON.stringify([base, repository, caller, digest]);
}
