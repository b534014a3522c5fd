/**
 * Tells when nothing was asked for a while: daemons that dfget started leave then. Drives one timer.
 */
export class IdleTimer {
  readonly #idleMs: number;
  readonly #onIdle: () => void;
  #busy = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `idleMs` 0: never. */
  constructor(options: { idleMs: number; onIdle: () => void }) {
    this.#idleMs = options.idleMs;
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
    if (this.#idleMs > 0) this.#timer = setTimeout(this.#onIdle, this.#idleMs);
  }
}
