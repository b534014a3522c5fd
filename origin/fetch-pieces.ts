/**
 * Fills the missing pieces of a target from an origin, by parallel ranges or, where there are none, by one stream.
 * Drives the origin; fetch-plan.ts decides how much at once, retry-delay.ts how long to wait.
 *
 * Invariant: every claimed piece is delivered or unclaimed, every acquired buffer delivered or released, also on failure.
 * A broken connection loses nothing: the bytes of its unfinished piece stay, and the next range goes on behind them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SkimmerError, toSkimmerError } from "../system/errors.ts";
import { pieceLengthAt, pieceOffset } from "../torrents/geometry.ts";
import { runPieces } from "./fetch-plan.ts";
import { OriginStatusError } from "./http-origin.ts";
import { retryDelayMs } from "./retry-delay.ts";
import type { Origin, OriginRequest, PieceTarget, Probe } from "./types.ts";

export interface FetchPieces {
  readonly origin: Origin;
  readonly request: OriginRequest;
  readonly probe: Probe;
  readonly target: PieceTarget;
  readonly maxConnections?: number;
  /** Waits until so many bytes may be read; absent: no limit. */
  readonly throttle?: (bytes: number) => Promise<void> | undefined;
  readonly signal: AbortSignal;
  readonly random?: () => number;
}

const CONNECTIONS = 4;
/** Failures in a row without a single new byte before the fetch gives up. */
const MOST_TRIES = 6;
/** Deliveries that may be under way per connection: reading goes on while pieces are hashed. */
const MOST_DELIVERIES = 4;

type Buffered = Awaited<ReturnType<PieceTarget["acquire"]>>;

/** Resolves when nothing is left to claim (others may still hold claims). Rejects with SkimmerError. */
export async function fetchPieces(fetch: FetchPieces): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([fetch.signal, stop.signal]);
  const connections = fetch.probe.ranges ? Math.min(fetch.maxConnections ?? CONNECTIONS, fetch.target.geometry.pieceCount) : 1;
  const lanes = Array.from({ length: Math.max(1, connections) }, () => new Lane({ ...fetch, signal }, connections).run());
  try {
    await Promise.all(lanes);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(lanes);
    throw fetch.signal.aborted ? fetch.signal.reason : error;
  }
}

class Lane {
  readonly #fetch: FetchPieces;
  readonly #connections: number;
  readonly #deliveries = new Set<Promise<void>>();
  #bytesPerSecond = 0;
  #failure: unknown;

  constructor(fetch: FetchPieces, connections: number) {
    this.#fetch = fetch;
    this.#connections = connections;
  }

  async run(): Promise<void> {
    for (;;) {
      const claim = this.#fetch.target.claimMissing(this.#runLength());
      if (claim === undefined) break;
      await this.#fetchRun(claim.first, claim.count);
    }
    await Promise.all(this.#deliveries);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #runLength(): number {
    const { target, probe } = this.#fetch;
    const { pieceCount, pieceLengthBytes } = target.geometry;
    if (!probe.ranges) return pieceCount;
    return runPieces({ bytesPerSecond: this.#bytesPerSecond, pieceLengthBytes, missingPieces: pieceCount, connections: this.#connections });
  }

  /** Reads pieces first … first+count−1, going on behind the last byte after each failure. */
  async #fetchRun(first: number, count: number): Promise<void> {
    const run = new Run(this.#fetch, first, count, (piece) => this.#deliver(piece));
    try {
      for (let tries = 0; run.open; tries++) {
        const before = run.doneBytes;
        const startedMs = performance.now();
        try {
          await this.#fetch.origin.read(this.#fetch.request, run.range, (chunk) => run.take(chunk), { signal: this.#fetch.signal });
          if (run.open) throw new SkimmerError("origin_failed", "the origin's answer ended early", { retriable: true });
        } catch (error) {
          // a read that broke may have left its last chunk waiting for a buffer or for tokens
          if (!this.#fetch.signal.aborted) await run.taken;
          if (run.doneBytes > before) tries = 0;
          await this.#waitToRetry(error, tries);
        }
        this.#bytesPerSecond = ((run.doneBytes - before) / Math.max(1, performance.now() - startedMs)) * 1000;
        if (this.#failure !== undefined) throw this.#failure;
      }
    } finally {
      run.abandon();
    }
  }

  async #waitToRetry(thrown: unknown, tries: number): Promise<void> {
    const { signal, random } = this.#fetch;
    signal.throwIfAborted();
    const error = toSkimmerError(thrown);
    if (!error.retriable || tries >= MOST_TRIES) throw error;
    const retryAfterMs = thrown instanceof OriginStatusError ? thrown.retryAfterMs : undefined;
    await sleep(retryDelayMs({ tries, retryAfterMs }, random ?? Math.random), undefined, { signal });
  }

  /** Hands the piece over; resolves early unless too many deliveries are under way. */
  async #deliver(piece: Buffered): Promise<void> {
    const delivery = this.#fetch.target.deliver(piece, "origin").then(
      ({ kind }) => {
        if (kind === "mismatch")
          this.#failure ??= new SkimmerError("origin_changed", `the origin's bytes are not those of the torrent (piece ${piece.index})`);
      },
      (error: unknown) => {
        this.#failure ??= error;
      },
    );
    this.#deliveries.add(delivery);
    void delivery.then(() => this.#deliveries.delete(delivery));
    if (this.#deliveries.size >= MOST_DELIVERIES) await Promise.race(this.#deliveries);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** A claimed run of pieces being filled from a byte stream. */
class Run {
  readonly #fetch: FetchPieces;
  readonly #end: number;
  readonly #onPiece: (piece: Buffered) => Promise<void>;
  #index: number;
  #piece: Buffered | undefined;
  #filled = 0;
  doneBytes = 0;
  /** Resolves when the last chunk is in its piece, or failed to get there. */
  taken: Promise<void> = Promise.resolve();

  constructor(fetch: FetchPieces, first: number, count: number, onPiece: (piece: Buffered) => Promise<void>) {
    this.#fetch = fetch;
    this.#index = first;
    this.#end = first + count;
    this.#onPiece = onPiece;
  }

  get open(): boolean {
    return this.#index < this.#end;
  }

  /** What is still to be read. */
  get range() {
    const { target, probe } = this.#fetch;
    const { geometry } = target;
    const firstByte = pieceOffset(geometry, this.#index) + this.#filled;
    const last = this.#end - 1;
    const lastByte = pieceOffset(geometry, last) + pieceLengthAt(geometry, last) - 1;
    return { firstByte, lastByte, validators: probe.validators };
  }

  /** Takes a chunk; the promise, where there is one, is the backpressure. */
  take(chunk: Buffer): void | Promise<void> {
    const { throttle } = this.#fetch;
    const wait = throttle?.(chunk.length);
    if (wait === undefined && this.#piece !== undefined && this.#filled + chunk.length < this.#piece.bytes.length) {
      chunk.copy(this.#piece.bytes, this.#filled);
      this.#filled += chunk.length;
      this.doneBytes += chunk.length;
      return undefined;
    }
    const taking = this.#takeSlowly(Buffer.from(chunk), wait);
    this.taken = taking.catch(() => undefined);
    return taking;
  }

  async #takeSlowly(chunk: Buffer, wait: Promise<void> | undefined): Promise<void> {
    await wait;
    let at = 0;
    while (at < chunk.length && this.open) {
      this.#piece ??= await this.#fetch.target.acquire(this.#index, { signal: this.#fetch.signal });
      const count = chunk.copy(this.#piece.bytes, this.#filled, at);
      at += count;
      this.#filled += count;
      this.doneBytes += count;
      if (this.#filled === this.#piece.bytes.length) await this.#finishPiece(this.#piece);
    }
  }

  #finishPiece(piece: Buffered): Promise<void> {
    this.#piece = undefined;
    this.#filled = 0;
    this.#index++;
    return this.#onPiece(piece);
  }

  /** Gives back what was not delivered. */
  abandon(): void {
    this.#piece?.release();
    this.#piece = undefined;
    for (; this.#index < this.#end; this.#index++) this.#fetch.target.unclaim(this.#index);
  }
}
