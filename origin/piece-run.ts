/**
 * A claimed run of pieces being filled from a byte stream. Drives the target's buffers.
 *
 * Invariant: every piece of the run is delivered, given back, or ceded to another run, exactly once. What a broken
 * connection brought stays: the next range goes on behind it. Pieces between ours (an origin without ranges sends all) are
 * passed over.
 */
import { copyBytes } from "../system/copy-bytes.ts";
import { pieceLengthAt, pieceOffset } from "../torrents/geometry.ts";
import type { OriginRequest, PieceTarget, Probe, ReadRange } from "./types.ts";

/** Waits until so many bytes may be read; undefined: at once. */
export type Throttle = (bytes: number) => Promise<void> | undefined;

export type BufferedPiece = Awaited<ReturnType<PieceTarget["acquire"]>>;

export interface RunParts {
  readonly request: OriginRequest;
  readonly probe: Probe;
  readonly target: PieceTarget;
  readonly throttle?: Throttle;
  readonly signal: AbortSignal;
}

export interface PieceRange {
  readonly first: number;
  readonly count: number;
  /** Pieces of the range that are ours; absent: all. */
  readonly only?: ReadonlySet<number>;
}

export class PieceRun {
  readonly #parts: RunParts;
  readonly #only: ReadonlySet<number> | undefined;
  #onPiece: (piece: BufferedPiece) => Promise<void> = () => Promise.resolve();
  #onCut: () => void = () => undefined;
  #onHeld: () => void = () => undefined;
  #index: number;
  #end: number;
  #piece: BufferedPiece | undefined;
  #filled = 0;
  #cut = false;
  #held = 0;
  /** Bytes taken so far. */
  doneBytes = 0;
  /** Resolves when the last chunk is in its piece, or failed to get there. */
  taken: Promise<void> = Promise.resolve();

  constructor(parts: RunParts, range: PieceRange) {
    this.#parts = parts;
    this.#index = range.first;
    this.#end = range.first + range.count;
    this.#only = range.only;
  }

  /** `onPiece` takes full pieces, `onCut` hears when the rest of the stream is another's, `onHeld` when the throttle holds it. */
  begin(on: { onPiece: (piece: BufferedPiece) => Promise<void>; onCut: () => void; onHeld: () => void }): void {
    this.#onPiece = on.onPiece;
    this.#onCut = on.onCut;
    this.#onHeld = on.onHeld;
  }

  get open(): boolean {
    return this.#index < this.#end;
  }

  /** True while the stream waits for us: for the throttle, or for want of a buffer. */
  get held(): boolean {
    return this.#held > 0;
  }

  /** What is still to be read. */
  get range(): ReadRange {
    const { probe } = this.#parts;
    const firstByte = this.#firstByte;
    return { firstByte, lastByte: firstByte + this.leftBytes - 1, validators: probe.validators, lengthBytes: probe.lengthBytes };
  }

  get leftBytes(): number {
    const { geometry } = this.#parts.target;
    const last = this.#end - 1;
    return pieceOffset(geometry, last) + pieceLengthAt(geometry, last) - this.#firstByte;
  }

  /** Pieces behind the one that is being filled. */
  get untouchedPieces(): number {
    return this.#only === undefined ? Math.max(0, this.#end - this.#index - 1) : 0;
  }

  /** Gives the last pieces away; whoever gets them answers for their claims. */
  cede(count: number): PieceRange {
    this.#end -= count;
    this.#cut = true;
    return { first: this.#end, count };
  }

  /** Takes a chunk; the promise, where there is one, is the backpressure. One copy, and no promise within a piece. */
  take(chunk: Buffer): void | Promise<void> {
    const wait = this.#parts.throttle?.(chunk.length);
    if (wait === undefined && this.#piece !== undefined && this.#filled + chunk.length < this.#piece.bytes.length) {
      copyBytes(chunk, this.#piece.bytes, this.#filled);
      this.#filled += chunk.length;
      this.doneBytes += chunk.length;
      return undefined;
    }
    if (wait !== undefined) this.#onHeld();
    this.#held++;
    const taking = this.#takeSlowly(chunk, wait).finally(() => this.#held--);
    this.taken = taking.catch(() => undefined);
    return taking;
  }

  /** Gives back what was not delivered. */
  abandon(): void {
    this.#piece?.release();
    this.#piece = undefined;
    for (; this.#index < this.#end; this.#index++) if (this.#isOurs(this.#index)) this.#parts.target.unclaim(this.#index);
  }

  get #firstByte(): number {
    return pieceOffset(this.#parts.target.geometry, this.#index) + this.#filled;
  }

  #isOurs(index: number): boolean {
    return this.#only === undefined || this.#only.has(index);
  }

  async #takeSlowly(chunk: Buffer, wait: Promise<void> | undefined): Promise<void> {
    await wait;
    for (let at = 0; at < chunk.length && this.open; ) at += await this.#fill(chunk, at);
    if (this.#cut && !this.open) this.#onCut();
  }

  /** Answers how many bytes of the chunk are done with. */
  async #fill(chunk: Buffer, at: number): Promise<number> {
    const { target, signal } = this.#parts;
    const lengthBytes = pieceLengthAt(target.geometry, this.#index);
    const count = Math.min(chunk.length - at, lengthBytes - this.#filled);
    if (this.#isOurs(this.#index)) {
      this.#piece ??= await target.acquire(this.#index, { signal });
      copyBytes(chunk.subarray(at, at + count), this.#piece.bytes, this.#filled);
    }
    this.#filled += count;
    this.doneBytes += count;
    if (this.#filled === lengthBytes) await this.#finishPiece();
    return count;
  }

  async #finishPiece(): Promise<void> {
    const piece = this.#piece;
    this.#piece = undefined;
    this.#filled = 0;
    this.#index++;
    if (piece !== undefined) await this.#onPiece(piece);
  }
}
