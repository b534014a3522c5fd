/**
 * One request from start to end: check the output, plan, fetch, check digests, write the output. Drives.
 *
 * Invariants: nothing is at the output path before everything was checked; exactly one `done` or one rejection; when the
 * origin changes under a download, it begins once more, straight from the origin.
 */
import type { Origin } from "../../origin/types.ts";
import type { Clock } from "../../system/clock.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import { RateMeter } from "../engine/rate-meter.ts";
import { compareDigests, digestBytes, digestFile, wantedDigests } from "./content-digest.ts";
import { type DoneEvent, type DownloadEvent, type DownloadRequest, PROGRESS_INTERVAL_MS, type Route } from "./daemon-api.ts";
import type { OpenTask, Plan, Planner } from "./download-plan.ts";
import type { InlineStore } from "./inline-store.ts";
import type { OpenRuns, RunHandle } from "./open-runs.ts";
import { originRequest } from "./origin-request.ts";
import { checkOutput, type OutputTarget } from "./output-check.ts";
import { spoolOrigin } from "./spool.ts";
import { linkedFileOf, type TaskIndex } from "./task-index.ts";
import type { RunProgress } from "./task-run.ts";
import type { OriginThrottle } from "./throttle.ts";
import { writeOutput, writeOutputBytes } from "./write-output.ts";

export interface DownloadParts {
  readonly planner: Planner;
  readonly runs: OpenRuns;
  readonly index: TaskIndex;
  readonly inlineStore: InlineStore;
  readonly origin: Origin;
  readonly spoolFolder: string;
  readonly throttle: OriginThrottle;
  readonly epochMs: () => number;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Job {
  readonly parts: DownloadParts;
  readonly request: DownloadRequest;
  readonly target: OutputTarget | undefined;
  readonly signal: AbortSignal;
  readonly emit: (event: DownloadEvent) => void;
}

/** What a way of fetching came to. */
type Outcome = Pick<DoneEvent, "bytes" | "infoHash" | "from" | "reason">;

const NOTHING = { origin: 0, seeder: 0, peers: 0, cache: 0 };

/** Runs the request. Rejects with SkimmerError, or the reason of `signal`. */
export async function runDownload(parts: DownloadParts, request: DownloadRequest, io: Pick<Job, "signal" | "emit">): Promise<DoneEvent> {
  const startedMs = parts.clock.nowMs();
  const target = request.output === undefined ? undefined : await checkOutput(request.output);
  const job: Job = { parts, request, target, ...io };
  const outcome = await fetchOnceMore(job);
  const seconds = Math.round(parts.clock.nowMs() - startedMs) / 1000;
  return { event: "done", status: "ok", output: request.output ?? null, seconds, ...outcome };
}

async function fetchOnceMore(job: Job): Promise<Outcome> {
  try {
    return await fetchByPlan(job, false);
  } catch (thrown) {
    const changed = thrown instanceof SkimmerError && thrown.code === "origin_changed";
    if (!changed || job.request.notbs || job.signal.aborted) throw thrown;
    job.emit({ event: "warning", message: `${thrown.message}; starting again, straight from the origin` });
    return fetchByPlan(job, true);
  }
}

async function fetchByPlan(job: Job, straight: boolean): Promise<Outcome> {
  const plan = await job.parts.planner.plan(job.request, { straight, signal: job.signal });
  for (const message of plan.warnings) job.emit({ event: "warning", message });
  emitStart(job, plan);
  switch (plan.kind) {
    case "empty":
      return finishBytes(job, { bytes: Buffer.alloc(0), infoHash: null, from: NOTHING });
    case "inline":
      return fetchInline(job, plan);
    case "spool":
      return fetchSpool(job, plan);
    case "torrent":
      return fetchTorrent(job, plan.task);
  }
}

function emitStart(job: Job, plan: Plan): void {
  const route: Route = plan.kind === "inline" ? "inline" : plan.kind === "torrent" && !plan.task.alone ? "swarm" : "origin";
  const entry = plan.kind === "torrent" || plan.kind === "inline" ? plan.task.entry : undefined;
  const name = entry?.name ?? (plan.kind === "spool" ? plan.probe.name : plan.kind === "empty" ? plan.name : "");
  const lengthBytes = entry?.lengthBytes ?? (plan.kind === "empty" ? 0 : null);
  job.emit({
    event: "start",
    name,
    lengthBytes,
    pieceLengthBytes: entry?.pieceLengthBytes ?? null,
    infoHash: entry?.infoHash ?? null,
    route,
  });
}

/** Small content came with the answer: it is the output at once, and goes to the store for others after that. */
async function fetchInline(job: Job, plan: Extract<Plan, { kind: "inline" }>): Promise<Outcome> {
  const { inlineStore } = job.parts;
  const { infoHash } = plan.task.entry;
  const cached = inlineStore.has(infoHash);
  const from = cached ? { ...NOTHING, cache: plan.bytes.length } : { ...NOTHING, seeder: plan.bytes.length };
  const outcome = await finishBytes(job, { bytes: plan.bytes, infoHash, from });
  inlineStore.keep(plan.task, plan.bytes);
  return outcome;
}

async function finishBytes(job: Job, content: { bytes: Buffer; infoHash: string | null; from: DoneEvent["from"] }): Promise<Outcome> {
  const wanted = wantedDigests(job.request);
  if (wanted.size > 0) compareDigests(wanted, digestBytes(content.bytes, [...wanted.keys()]));
  job.signal.throwIfAborted();
  if (job.target !== undefined) await writeOutputBytes(content.bytes, job.target, job.request.outputMode);
  return { bytes: content.bytes.length, infoHash: content.infoHash, from: content.from };
}

async function fetchSpool(job: Job, plan: Extract<Plan, { kind: "spool" }>): Promise<Outcome> {
  const { parts, request, signal } = job;
  const rate = new RateMeter();
  let total = 0;
  const report = setInterval(() => {
    const bytesPerSecond = Math.round(rate.rateOfTotal(total, parts.clock.nowMs()));
    job.emit({ event: "progress", bytes: total, total: null, rate: bytesPerSecond, peers: 0, from: { ...NOTHING, origin: total } });
  }, PROGRESS_INTERVAL_MS);
  try {
    await using spool = await spoolOrigin({
      folder: parts.spoolFolder,
      origin: parts.origin,
      request: originRequest(request),
      probe: plan.probe,
      throttle: parts.throttle.forTask(() => request.limitBytesPerSecond),
      signal,
      onBytes: (bytes) => {
        total = bytes;
      },
    });
    const wanted = wantedDigests(request);
    if (wanted.size > 0)
      compareDigests(wanted, await digestFile(spool.path, { names: [...wanted.keys()], lengthBytes: spool.lengthBytes, signal }));
    if (job.target !== undefined) await writeOutput(spool, job.target, { mode: request.outputMode, mayLink: true, signal });
    return {
      bytes: spool.lengthBytes,
      infoHash: null,
      from: { ...NOTHING, origin: spool.lengthBytes },
      reason: "the origin does not tell the length",
    };
  } finally {
    clearInterval(report);
  }
}

async function fetchTorrent(job: Job, task: OpenTask): Promise<Outcome> {
  const { parts, request, signal } = job;
  await using handle = await parts.runs.open(task);
  const { torrent } = handle.run;
  const total = torrent.geometry.lengthBytes;
  const onProgress = (progress: RunProgress): void => job.emit({ event: "progress", total, ...progress });
  const { from, reason } = await handle.run.wait(request, { signal, onProgress }).catch((thrown: unknown) => {
    // A version that the origin has no more is of no use to anybody.
    if (thrown instanceof SkimmerError && thrown.code === "origin_changed") handle.discard();
    throw thrown;
  });
  await checkDigests(job, handle);
  if (job.target !== undefined) await writeTorrent(job, handle, job.target);
  const noteFailure = (thrown: unknown): void =>
    parts.logger.warn({ err: thrown, infoHash: torrent.infoHash }, "the last use was not noted");
  parts.index.update(torrent.infoHash, { lastUsedAtMs: parts.epochMs() }).catch(noteFailure);
  return { bytes: total, infoHash: torrent.infoHash, from, reason };
}

/** Compares what the request wants; digests of complete content are remembered. */
async function checkDigests(job: Job, handle: RunHandle): Promise<void> {
  const { torrent } = handle.run;
  const { index } = job.parts;
  const wanted = wantedDigests(job.request);
  if (wanted.size === 0) return;
  const entry = index.get(torrent.infoHash);
  const known = torrent.complete ? { sha256: entry?.sha256, md5: entry?.md5 } : {};
  const missing = [...wanted.keys()].filter((name) => known[name] === undefined);
  const computed =
    missing.length === 0
      ? {}
      : await digestFile(torrent.dataPath, { names: missing, lengthBytes: torrent.geometry.lengthBytes, signal: job.signal });
  if (torrent.complete && missing.length > 0) await index.update(torrent.infoHash, computed);
  try {
    compareDigests(wanted, { ...known, ...computed });
  } catch (thrown) {
    handle.discard();
    throw thrown;
  }
}

async function writeTorrent(job: Job, handle: RunHandle, target: OutputTarget): Promise<void> {
  const { torrent } = handle.run;
  const { index } = job.parts;
  const { lengthBytes } = torrent.geometry;
  const entry = index.get(torrent.infoHash);
  // Pieces that came from the origin without a signer's word may still be replaced: such a file is never shared.
  const settled = entry?.local === true || torrent.stats.from.origin === 0;
  const mayLink = settled && target.kind === "file" && entry !== undefined && entry.linked === undefined;
  // Written down first: a crash right after the link must not leave a shared file that nobody watches.
  if (mayLink) await index.update(torrent.infoHash, { linked: await linkedFileOf(torrent.dataPath) });
  const written = await writeOutput({ path: torrent.dataPath, lengthBytes }, target, {
    mode: job.request.outputMode,
    mayLink,
    signal: job.signal,
  });
  if (mayLink && written !== "linked") await index.update(torrent.infoHash, { linked: undefined });
}
