/**
 * One piece on its way in: which blocks are missing, asked for, here. Decides; the bytes live in the slot.
 * Invariant: missing + requested + received = blockCount.
 */
import { BLOCK_BYTES } from "../../torrents/geometry.ts";
import type { Slot } from "./piece-buffers.ts";

const MISSING = 0;
const REQUESTED = 1;
const RECEIVED = 2;

/** A run of blocks to ask one peer for. */
export interface BlockRun {
  readonly begin: number;
  readonly length: number;
}

export class PieceDownload<Source> {
  readonly index: number;
  readonly lengthBytes: number;
  readonly slot: Slot;
  readonly blockCount: number;
  readonly #states: Uint8Array;
  /** Who brought each block: the suspects when the piece turns out bad. */
  readonly #bringers: (Source | undefined)[];
  #missing: number;
  #received = 0;
  /** Where the search for missing blocks begins. */
  #cursor = 0;

  constructor(piece: { index: number; lengthBytes: number; slot: Slot }) {
    this.index = piece.index;
    this.lengthBytes = piece.lengthBytes;
    this.slot = piece.slot;
    this.blockCount = Math.ceil(piece.lengthBytes / BLOCK_BYTES);
    this.#states = new Uint8Array(this.blockCount);
    this.#bringers = new Array(this.blockCount);
    this.#missing = this.blockCount;
  }

  get hasMissing(): boolean {
    return this.#missing > 0;
  }

  get isWhole(): boolean {
    return this.#received === this.blockCount;
  }

  get bringers(): Set<Source> {
    return new Set(this.#bringers.filter((source) => source !== undefined));
  }

  get bringerByBlock(): readonly (Source | undefined)[] {
    return this.#bringers;
  }

  /** Takes the next missing blocks, in a row, at most `mostBytes` (at least one block). */
  takeRun(mostBytes: number): BlockRun | undefined {
    if (this.#missing === 0) return undefined;
    let first = this.#cursor;
    while (this.#states[first] !== MISSING) first = (first + 1) % this.blockCount;
    const most = Math.max(1, Math.floor(mostBytes / BLOCK_BYTES));
    let end = first;
    while (end < this.blockCount && end - first < most && this.#states[end] === MISSING) this.#states[end++] = REQUESTED;
    this.#missing -= end - first;
    this.#cursor = end % this.blockCount;
    return this.#run(first, end);
  }

  /** The first run that was asked for but is not here; for asking somebody else as well. */
  requestedRun(mostBytes: number): BlockRun | undefined {
    const first = this.#states.indexOf(REQUESTED);
    if (first < 0) return undefined;
    const most = Math.max(1, Math.floor(mostBytes / BLOCK_BYTES));
    let end = first;
    while (end < this.blockCount && end - first < most && this.#states[end] === REQUESTED) end++;
    return this.#run(first, end);
  }

  /** Whether any block of the run is still wanted. */
  wants(run: BlockRun): boolean {
    for (let block = run.begin / BLOCK_BYTES; block * BLOCK_BYTES < run.begin + run.length; block++) {
      if (this.#states[block] !== RECEIVED) return true;
    }
    return false;
  }

  /** The run's bytes are in the slot. */
  receive(run: BlockRun, source: Source): void {
    for (let block = run.begin / BLOCK_BYTES; block * BLOCK_BYTES < run.begin + run.length; block++) {
      if (this.#states[block] === RECEIVED) continue;
      if (this.#states[block] === MISSING) this.#missing--;
      this.#states[block] = RECEIVED;
      this.#bringers[block] = source;
      this.#received++;
    }
  }

  /** Nobody brings the run any more: its blocks are missing again, unless they are here. */
  giveBack(run: BlockRun): void {
    for (let block = run.begin / BLOCK_BYTES; block * BLOCK_BYTES < run.begin + run.length; block++) {
      if (this.#states[block] !== REQUESTED) continue;
      this.#states[block] = MISSING;
      this.#missing++;
    }
  }

  #run(first: number, end: number): BlockRun {
    const begin = first * BLOCK_BYTES;
    return { begin, length: Math.min(end * BLOCK_BYTES, this.lengthBytes) - begin };
  }
}
