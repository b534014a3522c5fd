/**
 * Pieces that sockets still write from, over all peers. Decides.
 *
 * A peer that asks for a block of each piece and reads none of them would otherwise hold the whole pool. Invariant: they fill at most
 * `mostBytes`; beyond that blocks are sent as copies, of which each socket takes few.
 */
import type { Slot } from "./piece-buffers.ts";

export class SentPieces {
  readonly #mostBytes: number;
  readonly #writers = new Map<Slot, number>();
  #heldBytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** One more socket writes from the piece; false: it must not, and gets a copy. */
  hold(slot: Slot): boolean {
    const writers = this.#writers.get(slot) ?? 0;
    if (writers === 0 && this.#heldBytes + slot.bytes.length > this.#mostBytes) return false;
    if (writers === 0) this.#heldBytes += slot.bytes.length;
    this.#writers.set(slot, writers + 1);
    return true;
  }

  /** The socket took it. */
  release(slot: Slot): void {
    const writers = this.#writers.get(slot) ?? 0;
    if (writers > 1) {
      this.#writers.set(slot, writers - 1);
      return;
    }
    this.#writers.delete(slot);
    this.#heldBytes -= slot.bytes.length;
  }
}
