/**
 * What a seeder counts while it works, as plain numbers; seeder-metrics.ts shows them.
 */

/**
 * What came of a registration. `fresh`: answered without asking the origin; `revalidated`: the origin said that what is held is
 * still current (304); `known`: the origin was asked, and described what is held; `new`: a task was begun; `failed`: refused,
 * or the origin could not be asked. Registrations that came while another one of the same caller was under way share its result.
 */
export type RegistrationKind = "fresh" | "revalidated" | "known" | "new" | "failed";

/** Upper bounds of the histogram of times to the first piece. */
export const FIRST_PIECE_SECONDS: readonly number[] = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30];

export class SeederCounters {
  readonly registrations: Record<RegistrationKind, number> = { fresh: 0, revalidated: 0, known: 0, new: 0, failed: 0 };
  evictions = 0;
  evictedBytes = 0;
  readonly #listeners: ((seconds: number) => void)[] = [];

  registered(kind: RegistrationKind): void {
    this.registrations[kind]++;
  }

  evicted(bytes: number): void {
    this.evictions++;
    this.evictedBytes += bytes;
  }

  /** A task that was begun has its first piece, so long after its registration. */
  firstPiece(seconds: number): void {
    for (const listener of this.#listeners) listener(seconds);
  }

  onFirstPiece(listener: (seconds: number) => void): void {
    this.#listeners.push(listener);
  }
}
