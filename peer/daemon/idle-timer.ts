/**
 * Tells when nothing was asked for a while: daemons that dfget started leave then. Drives one timer.
 */
export class IdleTimer {
  readonly #idleMs: number;
  readonly #onIdle: () => void;
  readonly #isActive: () => boolean;
  #busy = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `idleMs` 0: never. `isActive`, asked at the end of that time, puts the end off once more. */
  constructor(options: { idleMs: number; onIdle: () => void; isActive?: () => boolean }) {
    this.#idleMs = options.idleMs;
    this.#isActive = options.isActive ?? (() => false);
    this.#onIdle = options.onIdle;
    this.#wait();
  }

  get busy(): number {
    return this.#busy;
  }

  /** Something begins; call the answer when it has ended. */
  begin(): () => void {
    this.#busy++;
    clearTimeout(this.#timer);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      if (--this.#busy === 0) this.#wait();
    };
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    clearTimeout(this.#timer);
    if (this.#idleMs > 0) this.#timer = setTimeout(() => (this.#isActive() ? this.#wait() : this.#onIdle()), this.#idleMs);
  }
}
