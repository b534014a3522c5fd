/**
 * Where the bytes of a torrent's pieces came from, and which pieces are still being checked. State of one torrent.
 * Invariant: a piece is in `from` once, and before whoever waits for the whole content hears of it.
 */
import type { Clock } from "../../system/clock.ts";
import { RateMeter } from "./rate-meter.ts";
import type { ByteSource } from "./types.ts";

export class PieceAccount {
  readonly from: Record<ByteSource, number> = { origin: 0, seeder: 0, peers: 0, cache: 0 };
  readonly rate = new RateMeter();
  /** Pieces that are being checked: they may be ours already, and are not in the account yet. */
  readonly #open = new Set<number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get settled(): boolean {
    return this.#open.size === 0;
  }

  open(index: number): void {
    this.#open.add(index);
  }

  close(index: number): void {
    this.#open.delete(index);
  }

  /** A checked piece's bytes, shared out evenly among those that brought it. */
  credit(index: number, lengthBytes: number, sources: readonly ByteSource[]): void {
    for (const source of sources) this.from[source] += Math.round(lengthBytes / sources.length);
    this.rate.add(lengthBytes, this.#clock.nowMs());
    this.#open.delete(index);
  }
}
