/**
 * Whom hosts got good pieces from of late: the other half of a peer's record (peer-standing.ts has the bad one). Decides.
 *
 * As there, an address has one voice about a peer, and voices fade. Praise makes a peer more likely to be handed out; it takes no ban away and
 * makes none harder, so that friends of a bad peer gain him little. Invariant: everything here has a limit, the oldest go.
 */
const VOICE_MS = 10 * 60_000;
/** More voices count no more. */
const MOST_COUNTED = 3;
const MOST_TARGETS = 10_000;

interface Praised {
  /** By address of who praises. */
  readonly voices: Map<string, number>;
}

export class PeerPraise {
  readonly #targets = new Map<string, Praised>();

  /** An address got good pieces from who is at `ADDRESS PORT`. */
  add(voice: { readonly reporter: string; readonly target: string }, nowMs: number): void {
    const { reporter, target } = voice;
    const { voices } = this.#targets.get(target) ?? { voices: new Map<string, number>() };
    this.#targets.delete(target);
    this.#targets.set(target, { voices });
    if (this.#targets.size > MOST_TARGETS) this.#targets.delete(this.#targets.keys().next().value as string);
    voices.delete(reporter);
    voices.set(reporter, nowMs);
    // the latest are enough
    if (voices.size > MOST_COUNTED) voices.delete(voices.keys().next().value as string);
  }

  get isEmpty(): boolean {
    return this.#targets.size === 0;
  }

  /** How many addresses praised it of late, MOST_COUNTED at most. */
  count(target: string, nowMs: number): number {
    const voices = this.#targets.get(target)?.voices.values() ?? [];
    return [...voices].filter((atMs) => nowMs - atMs <= VOICE_MS).length;
  }
}
