/**
 * Feeds a target with broken inputs. Time and memory of each input are bounded; the first fault ends the run.
 * Drives: it looks at the clock and at this process's memory.
 */
import { SkimmerError } from "../../system/errors.ts";
import { mutated } from "./mutate.ts";
import { seededRandom } from "./random.ts";
import type { FuzzTarget } from "./target.ts";

export interface FuzzOptions {
  readonly runs: number;
  readonly seed: number;
  /** One input may take so long; twice, because the machine may have been busy. */
  readonly mostMs: number;
  onProgress?(done: number): void;
}

export interface FuzzFault {
  readonly run: number;
  readonly input: Buffer;
  readonly why: string;
}

export interface FuzzResult {
  readonly runs: number;
  /** Inputs that were refused, as they should be. */
  readonly refused: number;
  readonly slowestMs: number;
  readonly fault?: FuzzFault;
}

const PROGRESS_EVERY = 50_000;
/** What one run of inputs may leave behind: readers keep nothing. */
const MOST_GROWTH_BYTES = 512 * 1024 * 1024;
const LOOK_EVERY = 1000;

export function runTarget(target: FuzzTarget, options: FuzzOptions): FuzzResult {
  const random = seededRandom(options.seed);
  const samples = target.samples(random);
  const before = memoryBytes();
  let refused = 0;
  let slowestMs = 0;
  for (let run = 0; run < options.runs; run++) {
    const input = mutated(samples, random);
    // each input has numbers of its own, so that it fails again alone
    const outcome = runOnce(target, input, options.seed + run);
    const tookMs =
      outcome.tookMs > options.mostMs ? Math.min(outcome.tookMs, runOnce(target, input, options.seed + run).tookMs) : outcome.tookMs;
    slowestMs = Math.max(slowestMs, tookMs);
    if (outcome.refused) refused++;
    const why = outcome.fault ?? (tookMs > options.mostMs ? `took ${Math.round(tookMs)} ms` : undefined);
    if (why !== undefined) return { runs: run + 1, refused, slowestMs, fault: { run, input, why } };
    if (run % LOOK_EVERY === 0 && memoryBytes() - before > MOST_GROWTH_BYTES)
      return { runs: run + 1, refused, slowestMs, fault: { run, input, why: "memory grew without bound" } };
    if ((run + 1) % PROGRESS_EVERY === 0) options.onProgress?.(run + 1);
  }
  return { runs: options.runs, refused, slowestMs };
}

function runOnce(target: FuzzTarget, input: Buffer, seed: number): { tookMs: number; refused: boolean; fault?: string } {
  const startedMs = performance.now();
  let refused = false;
  let fault: string | undefined;
  try {
    target.run(Buffer.from(input), seededRandom(seed));
  } catch (error) {
    refused = error instanceof SkimmerError && ["protocol", "bad_request"].includes(error.code);
    if (!refused) fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  return { tookMs: performance.now() - startedMs, refused, fault };
}

function memoryBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
