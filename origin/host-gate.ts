/**
 * Who may use one of an origin host's connections next. Decides; whoever enters says how to be told.
 *
 * Fair between tasks: the one that holds the fewest comes first, then the one that waited longest. One connection is left
 * to probes where there are several, so that long reads never keep a new caller waiting. Invariant: active ≤ limit,
 * but for those that entered before the limit was lowered.
 */

export interface Entry {
  /** The task on whose behalf. */
  readonly key: string;
  readonly isProbe: boolean;
  /** Called once, when it may go ahead. */
  readonly grant: () => void;
}

export class HostGate {
  #limit: number;
  #active = 0;
  #activeReads = 0;
  readonly #heldBy = new Map<string, number>();
  /** In the order of arrival. */
  readonly #waiting = new Set<Entry>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get active(): number {
    return this.#active;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Tasks but this one that hold a connection, or wait for one. */
  others(key: string): number {
    const keys = new Set(this.#heldBy.keys());
    for (const entry of this.#waiting) keys.add(entry.key);
    keys.delete(key);
    return keys.size;
  }

  setLimit(limit: number): void {
    this.#limit = limit;
    this.#grantMore();
  }

  /** The entry is granted now or later, unless withdrawn before. */
  enter(entry: Entry): void {
    this.#waiting.add(entry);
    this.#grantMore();
  }

  /** No longer wants to enter; true where it was still waiting. */
  withdraw(entry: Entry): boolean {
    return this.#waiting.delete(entry);
  }

  /** Gives back what was granted. */
  leave(entry: Entry): void {
    this.#active--;
    if (!entry.isProbe) this.#activeReads--;
    const held = (this.#heldBy.get(entry.key) ?? 1) - 1;
    if (held === 0) this.#heldBy.delete(entry.key);
    else this.#heldBy.set(entry.key, held);
    this.#grantMore();
  }

  #grantMore(): void {
    while (this.#active < this.#limit) {
      const entry = this.#next();
      if (entry === undefined) return;
      this.#waiting.delete(entry);
      this.#active++;
      if (!entry.isProbe) this.#activeReads++;
      this.#heldBy.set(entry.key, (this.#heldBy.get(entry.key) ?? 0) + 1);
      entry.grant();
    }
  }

  #next(): Entry | undefined {
    const mayRead = this.#activeReads < Math.max(1, this.#limit - 1);
    let best: Entry | undefined;
    for (const entry of this.#waiting) {
      if (entry.isProbe) return entry;
      if (mayRead && (best === undefined || this.#held(entry) < this.#held(best))) best = entry;
    }
    return best;
  }

  #held(entry: Entry): number {
    return this.#heldBy.get(entry.key) ?? 0;
  }
}
