/**
 * Fills the missing pieces of a target from an origin, by parallel ranges or, where there are none, by one stream.
 * Drives; fetch-plan.ts decides how many connections, how much at once, and which is too slow.
 *
 * Invariant: every claimed piece is delivered or unclaimed, every acquired buffer delivered or released, also on failure.
 */
import { FetchLane } from "./fetch-lane.ts";
import { firstGrowth, type Growth, nextGrowth, piecesToCede, runPieces, shareOf } from "./fetch-plan.ts";
import { QuestionedTarget } from "./last-question.ts";
import { type PieceRange, PieceRun, type RunParts } from "./piece-run.ts";
import type { Origin } from "./types.ts";

export interface FetchPieces extends RunParts {
  readonly origin: Origin;
  /** Most connections at once; absent: MOST_CONNECTIONS. */
  readonly maxConnections?: number;
  readonly random?: () => number;
  /** What arrives can be checked otherwise; else the origin is asked at the end whether it still has that version. */
  readonly isChecked?: boolean;
}

const MOST_CONNECTIONS = 16;
const SAMPLE_MS = 1_000;
/** Rates of the last runs, for what is typical. */
const MOST_RATES = 15;

/** Resolves when nothing is left to claim (others may still hold claims). Rejects with SkimmerError. */
export async function fetchPieces(fetch: FetchPieces): Promise<void> {
  const stop = new AbortController();
  const parts = { ...fetch, signal: AbortSignal.any([fetch.signal, stop.signal]) };
  const isAsked = fetch.probe.ranges && fetch.isChecked !== true;
  const fetching = new Fetching(isAsked ? { ...parts, target: new QuestionedTarget(parts) } : parts);
  const timer = setInterval(() => fetching.sample(performance.now()), SAMPLE_MS);
  try {
    await fetching.run();
  } catch (error) {
    stop.abort(error);
    await fetching.settled();
    throw fetch.signal.aborted ? fetch.signal.reason : error;
  } finally {
    clearInterval(timer);
  }
}

class Fetching {
  readonly #fetch: FetchPieces;
  readonly #most: number;
  readonly #lanes = new Map<FetchLane, Promise<void>>();
  readonly #done = Promise.withResolvers<void>();
  /** Of finished runs, the newest last. */
  readonly #rates: number[] = [];
  #growth: Growth;
  #left: number;
  #isBusy = false;
  #endedBytes = 0;
  #sampledBytes = 0;
  #sampledMs = performance.now();

  constructor(fetch: FetchPieces) {
    const { geometry } = fetch.target;
    this.#fetch = fetch;
    this.#most = fetch.probe.ranges ? Math.max(1, Math.min(fetch.maxConnections ?? MOST_CONNECTIONS, geometry.pieceCount)) : 1;
    this.#growth = firstGrowth(this.#most);
    this.#left = 0;
    for (let index = 0; index < geometry.pieceCount; index++) if (!fetch.target.has(index)) this.#left++;
  }

  run(): Promise<void> {
    this.#fetch.signal.throwIfAborted();
    this.#openLanes();
    if (this.#lanes.size === 0) this.#done.resolve();
    return this.#done.promise;
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#lanes.values());
  }

  /** Once a second: more or fewer connections, and a look at slow ones. */
  sample(nowMs: number): void {
    let bytes = this.#endedBytes;
    for (const lane of this.#lanes.keys()) bytes += lane.bytes;
    const bytesPerSecond = ((bytes - this.#sampledBytes) / Math.max(1, nowMs - this.#sampledMs)) * 1000;
    this.#sampledBytes = bytes;
    this.#sampledMs = nowMs;
    this.#growth = nextGrowth(this.#growth, { bytesPerSecond, isBusy: this.#isBusy, most: this.#most });
    this.#isBusy = false;
    for (const lane of this.#lanes.keys()) lane.checkPace(nowMs, this.#typicalRate);
    this.#openLanes();
  }

  get #typicalRate(): number | undefined {
    return this.#rates.toSorted((a, b) => a - b)[this.#rates.length >> 1];
  }

  /** Connections that this fetch may have now. */
  get #share(): number {
    const { origin, request } = this.#fetch;
    return shareOf(this.#growth.connections, origin.othersAt?.(request) ?? 0);
  }

  #openLanes(): void {
    while (this.#lanes.size < this.#share && !this.#fetch.signal.aborted) {
      const run = this.#takeRun(0);
      if (run === undefined) return;
      const lane = new FetchLane({
        ...this.#fetch,
        random: this.#fetch.random ?? Math.random,
        nextRun: (asking) => this.#nextRun(asking),
        onBusy: () => {
          this.#isBusy = true;
        },
      });
      this.#lanes.set(lane, this.#work(lane, run));
    }
  }

  async #work(lane: FetchLane, first: PieceRun): Promise<void> {
    try {
      await lane.work(first);
    } catch (error) {
      this.#done.reject(error);
    } finally {
      this.#endedBytes += lane.bytes;
      this.#lanes.delete(lane);
      if (this.#lanes.size === 0) this.#done.resolve();
    }
  }

  #nextRun(lane: FetchLane): PieceRun | undefined {
    this.#rates.push(lane.bytesPerSecond);
    if (this.#rates.length > MOST_RATES) this.#rates.shift();
    return this.#lanes.size > this.#share ? undefined : this.#takeRun(lane.bytesPerSecond);
  }

  #takeRun(bytesPerSecond: number): PieceRun | undefined {
    const range = this.#fetch.probe.ranges ? (this.#claim(bytesPerSecond) ?? this.#split()) : this.#claimAll();
    return range === undefined ? undefined : new PieceRun(this.#fetch, range);
  }

  #claim(bytesPerSecond: number): PieceRange | undefined {
    const { target } = this.#fetch;
    const { pieceLengthBytes } = target.geometry;
    const connections = this.#share;
    const claim = target.claimMissing(runPieces({ bytesPerSecond, pieceLengthBytes, missingPieces: this.#left, connections }));
    this.#left -= claim?.count ?? 0;
    return claim;
  }

  /** The later half of what the connection with most to do has not begun, where it would take long. */
  #split(): PieceRange | undefined {
    const [longest] = [...this.#lanes.keys()].sort((a, b) => (b.run?.untouchedPieces ?? 0) - (a.run?.untouchedPieces ?? 0));
    if (longest?.run === undefined) return undefined;
    const { untouchedPieces, leftBytes } = longest.run;
    const count = piecesToCede({ untouchedPieces, leftBytes, bytesPerSecond: longest.paceAt(performance.now()) });
    return count === 0 ? undefined : longest.run.cede(count);
  }

  /** Without ranges one stream brings all: everything missing is claimed, what lies between is passed over. */
  #claimAll(): PieceRange | undefined {
    const only = new Set<number>();
    const { target } = this.#fetch;
    for (
      let claim = target.claimMissing(target.geometry.pieceCount);
      claim !== undefined;
      claim = target.claimMissing(target.geometry.pieceCount)
    )
      for (let index = claim.first; index < claim.first + claim.count; index++) only.add(index);
    if (only.size === 0) return undefined;
    const indexes = [...only];
    const first = indexes.reduce((least, index) => Math.min(least, index));
    const last = indexes.reduce((most, index) => Math.max(most, index));
    return { first, count: last - first + 1, only };
  }
}
