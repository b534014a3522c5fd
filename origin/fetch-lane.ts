/**
 * One connection's worth of fetching: takes runs of pieces, reads them, goes on behind the last byte after each failure,
 * delivers. Drives the origin.
 *
 * Invariant: what it took is delivered or given back when run() settles.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SkimmerError, toSkimmerError } from "../system/errors.ts";
import { DRIP_WINDOW_MS, judgePace, SLOW_WINDOW_MS } from "./fetch-plan.ts";
import { OriginStatusError } from "./origin-status-error.ts";
import type { BufferedPiece, PieceRun, RunParts } from "./piece-run.ts";
import { retryDelayMs } from "./retry-delay.ts";
import type { Origin } from "./types.ts";

export interface LaneParts extends RunParts {
  readonly origin: Origin;
  readonly random: () => number;
  /** The next run at this rate (0: not known yet); undefined: there is nothing more to do. */
  readonly nextRun: (lane: FetchLane) => PieceRun | undefined;
  /** The origin said that it has too much to do. */
  readonly onBusy: () => void;
}

/** Failures in a row without a single new byte before the fetch gives up. */
const MOST_TRIES = 6;
/** Reads of one run that are given up because another connection would be faster. */
const MOST_RECONNECTS = 3;
/** Deliveries that may be under way per connection: reading goes on while pieces are hashed. */
const MOST_DELIVERIES = 4;

/** The pace of a shorter answer says nothing. */
const LEAST_PACE_MS = 1_000;

/** Why a read was ended by us; never leaves this file. */
type ReadEnd = "cut" | "behind" | "drip";

interface CurrentRead {
  readonly run: PieceRun;
  readonly control: AbortController;
  /** A limit held the stream back since it was last looked at. */
  isHeld: boolean;
  end: ReadEnd | undefined;
  /** What was there at each look, the oldest first: begun with the answer, and anew when we held the stream back. */
  marks: PaceMark[];
  /** Where the long window begins. */
  dripMark: PaceMark | undefined;
}

interface PaceMark {
  readonly atMs: number;
  readonly bytes: number;
}

export class FetchLane {
  readonly #parts: LaneParts;
  readonly #deliveries = new Set<Promise<void>>();
  #run: PieceRun | undefined;
  #read: CurrentRead | undefined;
  #reconnects = 0;
  #failure: unknown;
  /** Of the last run; 0: none was read yet. */
  bytesPerSecond = 0;
  #endedBytes = 0;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  get run(): PieceRun | undefined {
    return this.#run;
  }

  /** Over all runs so far. */
  get bytes(): number {
    return this.#endedBytes + (this.#run?.doneBytes ?? 0);
  }

  /** Bytes per second of the answer that is being read; undefined: too short to tell. */
  paceAt(nowMs: number): number | undefined {
    const mark = this.#read?.marks[0];
    if (mark === undefined || nowMs - mark.atMs < LEAST_PACE_MS) return undefined;
    return (((this.#run?.doneBytes ?? 0) - mark.bytes) / (nowMs - mark.atMs)) * 1000;
  }

  /** Reads `first` and whatever follows. Rejects with SkimmerError, or the reason of the signal. */
  async work(first: PieceRun): Promise<void> {
    for (let run: PieceRun | undefined = first; run !== undefined; run = this.#parts.nextRun(this)) await this.#readRun(run);
    await Promise.all(this.#deliveries);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends a read that is too slow, so that a new connection goes on with it; asked about once a second. */
  checkPace(nowMs: number, typicalBytesPerSecond: number | undefined): void {
    const read = this.#read;
    if (read?.dripMark === undefined) return;
    if (read.run.held || read.isHeld) return beginMarks(read, nowMs);
    const judge = (mark: PaceMark): ReturnType<typeof judgePace> =>
      judgePace({
        windowBytes: read.run.doneBytes - mark.bytes,
        windowMs: nowMs - mark.atMs,
        leftBytes: read.run.leftBytes,
        typicalBytesPerSecond: this.#reconnects < MOST_RECONNECTS ? typicalBytesPerSecond : undefined,
      });
    const verdict = judge(read.dripMark) === "drip" ? "drip" : judge(read.marks[0]);
    if (verdict !== "good") return this.#end(read, verdict);
    const now = { atMs: nowMs, bytes: read.run.doneBytes };
    read.marks.push(now);
    while (nowMs - read.marks[1].atMs >= SLOW_WINDOW_MS) read.marks.shift();
    if (nowMs - read.dripMark.atMs >= DRIP_WINDOW_MS) read.dripMark = now;
  }

  async #readRun(run: PieceRun): Promise<void> {
    const startedMs = performance.now();
    this.#run = run;
    this.#reconnects = 0;
    try {
      for (let tries = 0; run.open; tries++) {
        const before = run.doneBytes;
        const end = await this.#readOnce(run, tries);
        if (this.#failure !== undefined) throw this.#failure;
        // a drip is progress of a kind, but not one to wait for
        if (run.doneBytes > before && end !== "drip") tries = -1;
        if (end === "behind") this.#reconnects++;
      }
    } finally {
      this.bytesPerSecond = (run.doneBytes / Math.max(1, performance.now() - startedMs)) * 1000;
      this.#endedBytes += run.doneBytes;
      this.#run = undefined;
      run.abandon();
    }
  }

  /** One request. A failure that may pass is waited off here; others are thrown. */
  async #readOnce(run: PieceRun, tries: number): Promise<ReadEnd | undefined> {
    const { origin, request, signal } = this.#parts;
    const read: CurrentRead = { run, control: new AbortController(), isHeld: false, end: undefined, marks: [], dripMark: undefined };
    const onHeld = (): void => {
      read.isHeld = true;
    };
    run.begin({ onPiece: (piece) => this.#deliver(piece), onCut: () => this.#end(read, "cut"), onHeld });
    this.#read = read;
    const before = run.doneBytes;
    try {
      await origin.read(request, run.range, (chunk) => run.take(chunk), {
        signal: AbortSignal.any([signal, read.control.signal]),
        onAnswer: () => beginMarks(read, performance.now()),
        onHeld,
      });
      if (run.open) throw new SkimmerError("origin_failed", "the origin's answer ended early", { retriable: true });
    } catch (error) {
      // a read that broke may have left its last chunk waiting for a buffer or for tokens
      if (!signal.aborted) await run.taken;
      if (read.end === "cut" || read.end === "behind") return read.end;
      const cause = read.end === "drip" ? new SkimmerError("origin_failed", "the origin sends almost nothing", { retriable: true }) : error;
      await this.#waitToRetry(cause, run.doneBytes > before && read.end !== "drip" ? 0 : tries);
    } finally {
      this.#read = undefined;
    }
    return read.end;
  }

  #end(read: CurrentRead, end: ReadEnd): void {
    read.end = end;
    read.control.abort(new Error(`the read was ended: ${end}`));
  }

  async #waitToRetry(thrown: unknown, tries: number): Promise<void> {
    const { signal, random, onBusy } = this.#parts;
    signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    const error = toSkimmerError(thrown);
    if (thrown instanceof OriginStatusError && thrown.isBusy) onBusy();
    if (!error.retriable || tries >= MOST_TRIES) throw error;
    const retryAfterMs = thrown instanceof OriginStatusError ? thrown.retryAfterMs : undefined;
    await sleep(retryDelayMs({ tries, retryAfterMs }, random), undefined, { signal });
  }

  /** Hands the piece over; resolves early unless too many deliveries are under way. */
  async #deliver(piece: BufferedPiece): Promise<void> {
    const delivery = this.#parts.target.deliver(piece, "origin").then(
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

function beginMarks(read: CurrentRead, nowMs: number): void {
  const mark = { atMs: nowMs, bytes: read.run.doneBytes };
  read.isHeld = false;
  read.marks = [mark];
  read.dripMark = mark;
}
