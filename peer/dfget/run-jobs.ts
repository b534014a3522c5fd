/**
 * All downloads of one command, a few at a time. Drives; what is shown of them is the reporter's.
 * One that fails does not end the others; a signal ends all.
 */
import type { SkimmerError } from "../../system/errors.ts";
import { toSkimmerError } from "../../system/errors.ts";
import type { DoneEvent, DownloadEvent } from "../daemon/daemon-api.ts";
import type { DfgetSettings, Job } from "./dfget-settings.ts";
import { fetchThroughDaemon } from "./fetch-through-daemon.ts";

/** Who tells the user: a person at a terminal, or a program that reads JSON. */
export interface Reporter {
  event(job: Job, event: DownloadEvent): void;
  done(job: Job, done: DoneEvent): void;
  /** One of several failed; a single one's failure is the command's. `job` undefined: all were ended. */
  failed(job: Job | undefined, error: SkimmerError): void;
  note(message: string): void;
  /** The outcome of several. */
  summary(counts: { downloads: number; failed: number }): void;
  /** Nothing more comes. */
  end(): void;
}

export interface JobsResult {
  readonly done: number;
  readonly failures: readonly SkimmerError[];
}

/** Runs them all; rejects with the reason of `signal`. */
export async function runJobs(
  jobs: readonly Job[],
  options: { settings: DfgetSettings; reporter: Reporter; signal: AbortSignal },
): Promise<JobsResult> {
  const { settings, signal } = options;
  // Streams share one standard output: one after the other
  const atOnce = jobs.some((job) => job.output === undefined) ? 1 : settings.maxConcurrent;
  const waiting = jobs.values();
  const failures: SkimmerError[] = [];
  let done = 0;
  const worker = async (): Promise<void> => {
    for (const job of waiting) {
      const error = await runOne(job, options);
      signal.throwIfAborted();
      if (error === undefined) done++;
      else failures.push(error);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, jobs.length) }, worker));
  return { done, failures };
}

async function runOne(
  job: Job,
  options: { settings: DfgetSettings; reporter: Reporter; signal: AbortSignal },
): Promise<SkimmerError | undefined> {
  const { settings, reporter, signal } = options;
  const single = settings.jobs.length === 1 && settings.recursive === undefined;
  const startedMs = single ? 0 : performance.now();
  try {
    const kept = await keptOutput(job, settings, signal);
    const wanted = settings.continues ? await withPartialOutput(job) : job;
    const done =
      kept ?? (await fetchThroughDaemon(wanted, { place: settings.place, signal, onEvent: (event) => reporter.event(job, event) }));
    // For one download since the start of this process: what its user waited for, dead daemons included.
    reporter.done(job, { ...done, seconds: Math.round(performance.now() - startedMs) / 1000 });
    return undefined;
  } catch (thrown) {
    const error = toSkimmerError(thrown);
    if (!single && !signal.aborted) reporter.failed(job, error);
    return error;
  }
}

/** The account of an output that stays as it is, where the options say so. */
async function keptOutput(job: Job, settings: DfgetSettings, signal: AbortSignal): Promise<DoneEvent | undefined> {
  if (job.output === undefined || (settings.clobber && !settings.continues)) return undefined;
  const { keptDone } = await import("./kept-output.ts");
  return keptDone({ output: job.output, body: job.body, clobber: settings.clobber, signal });
}

/** --continue: the daemon takes from the output that is there what it can check. */
async function withPartialOutput(job: Job): Promise<Job> {
  const { existsSync } = await import("node:fs");
  if (job.output === undefined || !existsSync(job.output)) return job;
  return { ...job, body: { ...job.body, fill: { path: job.output, trusted: false } } };
}
