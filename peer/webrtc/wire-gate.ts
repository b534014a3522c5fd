/**
 * Requests of one browser, answered no faster than it takes the answers. webtorrent answers each request at once, so that a peer that asks and does
 * not read would fill the memory: here a request waits while the wire has unsent bytes. Drives the wire.
 * Invariant: at most MOST_READING requests are being read, at most MOST_WAITING wait; a peer with more is disconnected.
 */
import type { Wire } from "webtorrent";

/** webtorrent asks for one second's worth of 16 KiB blocks ahead. */
const MOST_WAITING = 4000;
const MOST_READING = 8;

type Answer = (index: number, offset: number, length: number, respond: (error: Error | null, bytes?: Uint8Array) => void) => void;

export class WireGate {
  readonly #wire: Wire;
  readonly #isFull: () => boolean;
  readonly #waiting: (() => void)[] = [];
  #reading = 0;

  /** Puts itself in front of what answers the wire's requests. `isFull`: it has more to send than the connection takes. */
  constructor(wire: Wire, isFull: () => boolean) {
    this.#wire = wire;
    this.#isFull = isFull;
    const answers = wire.listeners("request") as Answer[];
    wire.removeAllListeners("request");
    for (const answer of answers) wire.on("request", this.#hold(answer));
    wire.once("close", () => this.#waiting.splice(0));
  }

  /** Goes on where something was sent. */
  pump(): void {
    while (this.#waiting.length > 0 && this.#reading < MOST_READING && !this.#wire.destroyed && !this.#isFull()) this.#waiting.shift()?.();
  }

  #hold(answer: Answer): Answer {
    return (index, offset, length, respond) => {
      if (this.#waiting.length >= MOST_WAITING) return this.#wire.destroy();
      this.#waiting.push(() => {
        this.#reading++;
        answer(index, offset, length, (error, bytes) => {
          this.#reading--;
          respond(error, bytes);
          this.pump();
        });
      });
      this.pump();
    };
  }
}
