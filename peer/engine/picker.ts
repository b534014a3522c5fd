/**
 * Which piece to ask for next. Decides: rarest first with random ties, or in order within a window behind a cursor.
 * Invariant: availability counts equal the number of `add`ed holders per piece.
 */
import type { Bitfield } from "./bitfield.ts";

/** Pieces behind the cursor that are fetched in order when streaming; beyond it rarest first goes on. */
const STREAM_WINDOW_PIECES = 16;
/** Once something was found, no more of the field than this is looked at: bounds the cost for torrents with very many pieces. */
const MOST_SCANNED_BYTES = 1024;

/** Which pieces may be picked. */
export interface Choice {
  readonly holder: Bitfield;
  /** Only pieces that are in each of these. */
  readonly allowed: readonly Bitfield[];
  /** Pieces that are here or on their way. */
  readonly taken: readonly Bitfield[];
}

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

  removeHolder(index: number): void {
    if (this.#availability[index] > 0) this.#availability[index]--;
  }

  removeHolders(field: Bitfield): void {
    for (let index = 0; index < field.length; index++) if (field.has(index)) this.removeHolder(index);
  }

  availability(index: number): number {
    return this.#availability[index];
  }

  /** The piece that a reader waits for; undefined: none. */
  get cursor(): number | undefined {
    return this.#cursor;
  }

  setCursor(index: number | undefined): void {
    this.#cursor = index;
  }

  /** The best piece that `from` allows, or -1. Looks at eight pieces at a time: most bytes of a swarm's fields rule all eight out. */
  pick(from: Choice, random: () => number): number {
    const streamed = this.#pickStreamed(from);
    if (streamed >= 0) return streamed;
    const byteCount = from.holder.bytes.length;
    const start = byteCount > MOST_SCANNED_BYTES ? Math.floor(random() * byteCount) : 0;
    let best = -1;
    let bestAvailability = 0x10000;
    let ties = 0;
    for (let step = 0; step < byteCount && (step < MOST_SCANNED_BYTES || best < 0); step++) {
      const at = start + step < byteCount ? start + step : start + step - byteCount;
      for (let bits = openBits(from, at); bits !== 0; ) {
        const bit = Math.clz32(bits) - 24;
        bits &= ~(0x80 >> bit);
        const index = at * 8 + bit;
        const availability = this.#availability[index];
        if (availability > bestAvailability) continue;
        if (availability < bestAvailability) ties = 0;
        ties++;
        bestAvailability = availability;
        if (random() * ties < 1) best = index;
      }
    }
    return best;
  }

  #pickStreamed(from: Choice): number {
    if (this.#cursor === undefined) return -1;
    const end = Math.min(this.#availability.length, this.#cursor + STREAM_WINDOW_PIECES);
    for (let index = this.#cursor; index < end; index++) if ((openBits(from, index >> 3) & (0x80 >> (index & 7))) !== 0) return index;
    return -1;
  }
}

/** Byte `at` of the pieces that may be picked, high bit first. */
function openBits({ holder, allowed, taken }: Choice, at: number): number {
  let bits = holder.bytes[at];
  for (let field = 0; field < allowed.length && bits !== 0; field++) bits &= allowed[field].bytes[at];
  for (let field = 0; field < taken.length && bits !== 0; field++) bits &= ~taken[field].bytes[at];
  return bits;
}
