/**
 * Which piece to ask for next. Decides: rarest first with random ties, or in order within a window behind a cursor.
 * Invariant: availability counts equal the number of `add`ed holders per piece.
 */
import type { Bitfield } from "./bitfield.ts";

/** Pieces behind the cursor that are fetched in order when streaming; beyond it rarest first goes on. */
const STREAM_WINDOW_PIECES = 16;
/** Once something was found, no more pieces than this are looked at: bounds the cost for torrents with very many. */
const MOST_SCANNED = 8192;

export class Picker {
  readonly #availability: Uint16Array;
  #cursor: number | undefined;

  constructor(pieceCount: number) {
    this.#availability = new Uint16Array(pieceCount);
  }

  addHolder(index: number): void {
    if (this.#availability[index] < 0xffff) this.#availability[index]++;
  }

  addHolders(field: Bitfield): void {
    for (let index = 0; index < field.length; index++) if (field.has(index)) this.addHolder(index);
  }

  removeHolders(field: Bitfield): void {
    for (let index = 0; index < field.length; index++) if (field.has(index) && this.#availability[index] > 0) this.#availability[index]--;
  }

  availability(index: number): number {
    return this.#availability[index];
  }

  setCursor(index: number | undefined): void {
    this.#cursor = index;
  }

  /** The best piece of `holder` for which `wanted` is true, or -1. */
  pick(holder: Bitfield, wanted: (index: number) => boolean, random: () => number): number {
    const streamed = this.#pickStreamed(holder, wanted);
    if (streamed >= 0) return streamed;
    const count = this.#availability.length;
    const start = count > MOST_SCANNED ? Math.floor(random() * count) : 0;
    let best = -1;
    let bestAvailability = 0x10000;
    let ties = 0;
    for (let step = 0; step < count && (step < MOST_SCANNED || best < 0); step++) {
      const index = start + step < count ? start + step : start + step - count;
      const availability = this.#availability[index];
      if (availability > bestAvailability || !holder.has(index) || !wanted(index)) continue;
      if (availability < bestAvailability) ties = 0;
      ties++;
      bestAvailability = availability;
      if (random() * ties < 1) best = index;
    }
    return best;
  }

  #pickStreamed(holder: Bitfield, wanted: (index: number) => boolean): number {
    if (this.#cursor === undefined) return -1;
    const end = Math.min(this.#availability.length, this.#cursor + STREAM_WINDOW_PIECES);
    for (let index = this.#cursor; index < end; index++) if (holder.has(index) && wanted(index)) return index;
    return -1;
  }
}
