/**
 * Pieces that were hashed and wait for their signature. Drives one timer.
 *
 * A signature covers all that was hashed within a few milliseconds: one check of it costs every peer 0.13 ms. The first piece
 * and the last do not wait, so that a small file, and the start of any, are as fast as without.
 */
import type { PieceRecord } from "../../torrents/piece-records.ts";

const SIGN_AFTER_MS = 15;

export class SigningBatch {
  readonly #sign: (records: readonly PieceRecord[]) => void;
  #records: PieceRecord[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(sign: (records: readonly PieceRecord[]) => void) {
    this.#sign = sign;
  }

  /** `signed` pieces of `pieceCount` are signed already. */
  add(record: PieceRecord, progress: { signed: number; pieceCount: number }): void {
    this.#records.push(record);
    if (progress.signed === 0 || progress.signed + this.#records.length === progress.pieceCount) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), SIGN_AFTER_MS);
  }

  /** Signs what waits, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const records = this.#records;
    this.#records = [];
    if (records.length > 0) this.#sign(records);
  }
}
