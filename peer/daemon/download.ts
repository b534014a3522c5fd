/**
 * One request from start to end: check the output, plan, fetch, check digests, write the output. Drives.
 *
 * Invariants: nothing is at the output path before everything was checked; exactly one `done` or one rejection; when the
 * origin changes under a download, it begins once more, straight from the origin.
 */

import type { KeyObject } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { spoolOrigin } from "../../origin/spool.ts";
import type { Origin, Probe } from "../../origin/types.ts";
import type { Clock } from "../../system/clock.ts";
import { SkimmerError, toSkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import { RateMeter } from "../engine/rate-meter.ts";
import type { Engine } from "../engine/types.ts";
import { compareDigests, digestBytes, digestFile, wantedDigests } from "./content-digest.ts";
import {
  type DoneEvent,
  type DownloadEvent,
  type DownloadRequest,
  PROGRESS_INTERVAL_MS,
  type Route,
  type StreamWish,
} from "./daemon-api.ts";
import { NO_SUPERNODE, type OpenTask, type Plan, type Planner } from "./download-plan.ts";
import { fetchFiles } from "./fetch-files.ts";
import { fillFromFile } from "./fill-from-file.ts";
import type { InlineStore } from "./inline-store.ts";
import type { OpenRuns, RunHandle } from "./open-runs.ts";
import { originRequest } from "./origin-request.ts";
import { checkOutput, type OutputTarget } from "./output-check.ts";
import { findSwarm, takeAlong } from "./rejoin-swarm.ts";
import { type ContentSink, streamBytes, streamOrigin, streamTorrent } from "./stream-content.ts";
import { linkedFileOf, type TaskIndex } from "./task-index.ts";
import type { RunProgress, RunResult } from "./task-run.ts";
import { MIN_LINK_BYTES, writeOutput, writeOutputBytes } from "./write-output.ts";

export interface DownloadParts {
  readonly planner: Planner;
  readonly runs: OpenRuns;
  readonly index: TaskIndex;
  readonly inlineStore: InlineStore;
  readonly origin: Origin;
  readonly key: KeyObject;
  readonly spoolFolder: string;
  /** Limits for content that is no torrent. */
  readonly engine: Pick<Engine, "openShare" | "hashFiles">;
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
  /** Takes the content in order, where the request wants a stream. */
  readonly sink?: ContentSink;
}

/** What a way of fetching came to. */
type Outcome = Pick<DoneEvent, "bytes" | "infoHash" | "from" | "reason"> & { readonly output?: string | null };

const NOTHING = { origin: 0, seeder: 0, peers: 0, cache: 0 };

/** Runs the request. Rejects with SkimmerError, or the reason of `signal`. */
export async function runDownload(
  parts: DownloadParts,
  request: DownloadRequest,
  io: Pick<Job, "signal" | "emit" | "sink">,
): Promise<DoneEvent> {
  const startedMs = parts.clock.nowMs();
  // where a torrent's files go is known when its files are
  const isTorrent = request.torrent !== undefined;
  const target = request.output === undefined || isTorrent ? undefined : await checkOutput(request.output);
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
    // a stream cannot take back what it sent
    if (!changed || job.request.notbs || job.request.stream !== undefined || job.signal.aborted) throw thrown;
    const how = job.request.torrent === undefined ? ", straight from the origin" : "";
    job.emit({ event: "warning", message: `${thrown.message}; starting again${how}` });
    return fetchByPlan(job, true);
  }
}

async function fetchByPlan(job: Job, straight: boolean): Promise<Outcome> {
  const plan = await job.parts.planner.plan(job.request, { straight, signal: job.signal });
  return fetchPlanned(await nameOutput(job, plan), plan);
}

/** A torrent of one file: now that its name is known, so is its output. */
async function nameOutput(job: Job, plan: Plan): Promise<Job> {
  const { outputFolder, output, fillFromOutput, torrent } = job.request;
  if (torrent === undefined || plan.kind === "spool" || (plan.kind === "torrent" && plan.task.layout?.isSingle === false)) return job;
  const path = outputFolder === undefined ? output : join(outputFolder, plan.kind === "empty" ? plan.name : plan.task.entry.name);
  if (path === undefined) return job;
  const target = await checkOutput(path);
  const isThere = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  const fill = fillFromOutput === true && isThere ? { path, trusted: false } : job.request.fill;
  return { ...job, request: { ...job.request, output: path, fill }, target };
}

async function fetchPlanned(job: Job, plan: Plan): Promise<Outcome> {
  for (const message of plan.warnings) job.emit({ event: "warning", message });
  checkStream(job.request.stream, plan);
  emitStart(job, plan);
  switch (plan.kind) {
    case "empty":
      return finishBytes(job, { bytes: Buffer.alloc(0), infoHash: null, from: NOTHING });
    case "inline":
      return fetchInline(job, plan);
    case "spool":
      return fetchSpool(job, plan);
    case "torrent":
      if (plan.task.layout?.isSingle === false) return fetchFiles(job, { ...plan.task, layout: plan.task.layout });
      return plan.task.alone === NO_SUPERNODE ? fetchUntilSwarm(job, plan.task) : fetchTorrent(job, plan.task);
  }
}

function emitStart(job: Job, plan: Plan): void {
  const route: Route = plan.kind === "inline" ? "inline" : plan.kind === "torrent" && plan.task.alone === undefined ? "swarm" : "origin";
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
  if (job.sink !== undefined) await streamBytes(content.bytes, job.request.stream?.skipBytes ?? 0, job.sink);
  return { output: job.request.output ?? null, bytes: content.bytes.length, infoHash: content.infoHash, from: content.from };
}

async function fetchSpool(job: Job, plan: Extract<Plan, { kind: "spool" }>): Promise<Outcome> {
  const { parts, request, signal } = job;
  if (job.sink !== undefined) return streamSpool(job, plan.probe, job.sink);
  const rate = new RateMeter();
  let total = 0;
  using share = parts.engine.openShare({ bytesPerSecond: request.limitBytesPerSecond, priority: request.priority });
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
      throttle: (bytes) => share.limiter.take(bytes),
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
      reason: NO_LENGTH,
    };
  } finally {
    clearInterval(report);
  }
}

const NO_LENGTH = "the origin does not tell the length";

async function streamSpool(job: Job, probe: Probe, sink: ContentSink): Promise<Outcome> {
  const { parts, request, signal } = job;
  const wanted = wantedDigests(request);
  using share = parts.engine.openShare({ bytesPerSecond: request.limitBytesPerSecond, priority: request.priority });
  const throttle = (bytes: number): Promise<void> | undefined => share.limiter.take(bytes);
  const common = { origin: parts.origin, request: originRequest(request), probe, sink, throttle, signal };
  const { lengthBytes, digests } = await streamOrigin({ ...common, digests: [...wanted.keys()] });
  compareDigests(wanted, digests);
  return { bytes: lengthBytes, infoHash: null, from: { ...NOTHING, origin: lengthBytes }, reason: NO_LENGTH };
}

/** The rest of a stream must be that of the same content. */
function checkStream(stream: StreamWish | undefined, plan: Plan): void {
  if (stream === undefined || stream.skipBytes === 0) return;
  const infoHash = plan.kind === "torrent" || plan.kind === "inline" ? plan.task.entry.infoHash : undefined;
  if (infoHash !== undefined && infoHash === stream.infoHash) return;
  throw new SkimmerError("origin_changed", "the stream was interrupted, and what can be had now is another version", {
    hint: "Run the command again, from the beginning.",
  });
}

async function fetchTorrent(job: Job, task: OpenTask): Promise<Outcome> {
  const { parts } = job;
  await using handle = await parts.runs.open(task);
  const { torrent } = handle.run;
  const total = torrent.geometry.lengthBytes;
  const onProgress = (progress: RunProgress): void => job.emit({ event: "progress", total, ...progress });
  await fillBefore(job, handle);
  const { from, reason } = await waitAndStream(job, handle, onProgress).catch((thrown: unknown) => {
    // A version that the origin has no more is of no use to anybody.
    if (thrown instanceof SkimmerError && thrown.code === "origin_changed") handle.discard();
    throw thrown;
  });
  await checkDigests(job, handle);
  if (job.target !== undefined) await writeTorrent(job, handle, job.target);
  const noteFailure = (thrown: unknown): void =>
    parts.logger.warn({ err: thrown, infoHash: torrent.infoHash }, "the last use was not noted");
  parts.index.update(torrent.infoHash, { lastUsedAtMs: parts.epochMs() }).catch(noteFailure);
  return { output: job.request.output ?? null, bytes: total, infoHash: torrent.infoHash, from, reason };
}

/** Reads the origin alone until a supernode comes back; then goes on in the swarm with what there is. */
async function fetchUntilSwarm(job: Job, own: OpenTask): Promise<Outcome> {
  const ended = new AbortController();
  const signal = AbortSignal.any([job.signal, ended.signal]);
  const stream = countedSink(job.sink);
  const alone = fetchTorrent({ ...job, signal, sink: stream?.sink }, own);
  const swarm = findSwarm(job.parts.planner, { request: job.request, own, signal });
  try {
    const first = await Promise.race([alone.then((outcome) => ({ outcome })), swarm.then((task) => ({ task }))]);
    if ("outcome" in first) return first.outcome;
    if (first.task === undefined) return await alone;
    const { task } = first;
    // held open while the other download ends, so that what it has stays at hand
    await using left = await job.parts.runs.open(own);
    ended.abort(new SkimmerError("cancelled", "the swarm is back"));
    await alone.catch(() => undefined);
    await stream?.taken();
    return await fetchInSwarm(stream === undefined ? job : goOn(job, stream.sentBytes()), { task, left });
  } finally {
    ended.abort(new SkimmerError("cancelled", "the download has ended"));
  }
}

/** The job from the byte on at which its stream was left. */
function goOn(job: Job, sentBytes: number): Job {
  const skipBytes = (job.request.stream?.skipBytes ?? 0) + sentBytes;
  return { ...job, request: { ...job.request, stream: { ...job.request.stream, skipBytes } } };
}

/** The sink, with a count of what it got; taken() resolves when the last bytes are through, well or not. */
function countedSink(sink: ContentSink | undefined) {
  if (sink === undefined) return undefined;
  let sent = 0;
  let last: Promise<unknown> = Promise.resolve();
  return {
    sink: (bytes: Buffer): Promise<void> => {
      sent += bytes.length;
      const taking = sink(bytes);
      last = taking.catch(() => undefined);
      return taking;
    },
    sentBytes: () => sent,
    taken: () => last,
  };
}

async function fetchInSwarm(job: Job, { task, left }: { task: OpenTask; left: RunHandle }): Promise<Outcome> {
  job.emit({ event: "warning", message: "a supernode is back: going on in the swarm" });
  emitStart(job, { kind: "torrent", task, warnings: [] });
  await using handle = await job.parts.runs.open(task);
  const taken = await takeAlong(left.run.torrent, handle.run.torrent, job.signal);
  left.discard();
  const outcome = await fetchTorrent(job, task);
  // what was taken along came from the origin
  const moved = Math.min(taken, outcome.from.cache);
  const from = { ...outcome.from, origin: outcome.from.origin + moved, cache: outcome.from.cache - moved };
  return { ...outcome, from, reason: outcome.reason ?? "no supernode answered at first" };
}

/** Takes what a local file has; where nobody's word on the pieces is known, only if the file is trusted. */
async function fillBefore({ parts, request, signal, emit }: Job, { run }: RunHandle): Promise<void> {
  const { fill } = request;
  const { torrent } = run;
  if (fill === undefined || torrent.complete) return;
  const checkable =
    parts.index.get(torrent.infoHash)?.local === true ? fill.trusted : torrent.infoV1 !== undefined || torrent.infoV2 !== undefined;
  if (!checkable) return emit({ event: "warning", message: `${fill.path} cannot be checked yet, and is not used` });
  try {
    await fillFromFile(torrent, fill.path, { signal });
  } catch (thrown) {
    signal.throwIfAborted();
    emit({ event: "warning", message: `${fill.path} cannot be used: ${toSkimmerError(thrown).message}` });
  }
}

/** Waits until everything is here and, where there is a reader, was read. */
async function waitAndStream(job: Job, { run }: RunHandle, onProgress: (progress: RunProgress) => void): Promise<RunResult> {
  const { request, sink, signal } = job;
  if (sink === undefined) return run.wait(request, { signal, onProgress });
  const ended = new AbortController();
  const reading = { torrent: run.torrent, skipBytes: request.stream?.skipBytes ?? 0, sink, cursor: run.openCursor() };
  const both = AbortSignal.any([signal, ended.signal]);
  try {
    const [result] = await Promise.all([run.wait(request, { signal: both, onProgress }), streamTorrent({ ...reading, signal: both })]);
    return result;
  } finally {
    ended.abort(new SkimmerError("cancelled", "the download has ended"));
  }
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
    // a torrent's own hashes held: only the caller's wish is wrong
    if (job.request.torrent === undefined) handle.discard();
    throw thrown;
  }
}

async function writeTorrent(job: Job, handle: RunHandle, target: OutputTarget): Promise<void> {
  const { torrent } = handle.run;
  const { index } = job.parts;
  const { lengthBytes } = torrent.geometry;
  const entry = index.get(torrent.infoHash);
  // Pieces that came from the origin without a signer's word may still be replaced: such a file is never shared.
  const settled = (entry?.local === true || torrent.stats.from.origin === 0) && entry?.inPlace === undefined;
  const mayLink = settled && lengthBytes >= MIN_LINK_BYTES && target.kind === "file" && entry !== undefined && entry.linked === undefined;
  // Written down first: a crash right after the link must not leave a shared file that nobody watches.
  if (mayLink) await index.update(torrent.infoHash, { linked: await linkedFileOf(torrent.dataPath) });
  const written = await writeOutput({ path: torrent.dataPath, lengthBytes }, target, {
    mode: job.request.outputMode,
    mayLink,
    signal: job.signal,
  });
  if (mayLink && written !== "linked") await index.update(torrent.infoHash, { linked: undefined });
}
