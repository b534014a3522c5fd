/**
 * A target whose last missing piece waits for a word of the origin: that it still has the version that was read. Drives the origin.
 *
 * Ranges tell of a new version when they are asked for, and not later: of a file that is overwritten in place, the last answers may be a mixture.
 * When the last piece arrives, all were read; until it is delivered, nobody has the whole. A short fetch goes without: no answer is safe from that.
 */
import { SkimmerError } from "../system/errors.ts";
import { isSameContent } from "./same-content.ts";
import type { Origin, OriginRequest, PieceTarget, Probe } from "./types.ts";

const SHORT_MS = 1_000;
/** An origin that does not answer in time is believed. */
const ANSWER_LIMIT_MS = 5_000;

export interface LastQuestion {
  readonly target: PieceTarget;
  readonly origin: Origin;
  readonly request: OriginRequest;
  readonly probe: Probe;
  readonly signal: AbortSignal;
}

type Piece = Parameters<PieceTarget["deliver"]>[0];

export class QuestionedTarget implements PieceTarget {
  readonly #asked: LastQuestion;
  readonly #beganMs = performance.now();
  /** Pieces that were read, and are not stored yet. */
  readonly #delivering = new Set<number>();
  /** All pieces before it are there. */
  #firstMissing = 0;

  constructor(asked: LastQuestion) {
    this.#asked = asked;
  }

  get geometry(): PieceTarget["geometry"] {
    return this.#asked.target.geometry;
  }

  has(index: number): boolean {
    return this.#asked.target.has(index);
  }

  claimMissing(maxPieces: number): ReturnType<PieceTarget["claimMissing"]> {
    return this.#asked.target.claimMissing(maxPieces);
  }

  unclaim(index: number): void {
    this.#asked.target.unclaim(index);
  }

  acquire(index: number, options: { signal: AbortSignal }): ReturnType<PieceTarget["acquire"]> {
    return this.#asked.target.acquire(index, options);
  }

  /** Rejects with SkimmerError `origin_changed` besides what the target rejects with. */
  async deliver(piece: Piece, source: "origin"): ReturnType<PieceTarget["deliver"]> {
    const { target } = this.#asked;
    this.#delivering.add(piece.index);
    try {
      if (this.#isLast && performance.now() - this.#beganMs > SHORT_MS && (await this.#hasChanged())) {
        piece.release();
        target.unclaim(piece.index);
        throw new SkimmerError("origin_changed", "the content changed at the origin while it was read", { hint: "Run the command again." });
      }
      return await target.deliver(piece, source);
    } finally {
      this.#delivering.delete(piece.index);
    }
  }

  get #isLast(): boolean {
    const { pieceCount } = this.geometry;
    while (this.#firstMissing < pieceCount && this.has(this.#firstMissing)) this.#firstMissing++;
    for (let index = this.#firstMissing; index < pieceCount; index++) if (!this.#delivering.has(index) && !this.has(index)) return false;
    return true;
  }

  async #hasChanged(): Promise<boolean> {
    const { origin, request, probe, signal } = this.#asked;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]);
    const now = await origin.probe(request, { signal: limit }).catch(() => undefined);
    return now !== undefined && !isSameContent(probe, now);
  }
}
