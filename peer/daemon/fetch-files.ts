/**
 * A torrent of several files from start to end: select, fetch the pieces of what is selected, put each file in its place. Drives.
 *
 * Invariants: a file is at its place only when all of its pieces were verified; nothing is written outside the torrent's folder.
 * A single selected file can be streamed instead.
 */
import { SkimmerError } from "../../system/errors.ts";
import { type FileRange, selectFiles, spansOf } from "../../torrents/file-selection.ts";
import { pieceLengthAt } from "../../torrents/geometry.ts";
import type { TorrentLayout } from "../../torrents/torrent-layout.ts";
import type { Torrent } from "../engine/types.ts";
import type { DoneEvent, DownloadEvent, DownloadRequest } from "./daemon-api.ts";
import type { OpenTask } from "./download-plan.ts";
import { fillFromFiles } from "./fill-from-file.ts";
import type { OpenRuns, RunHandle } from "./open-runs.ts";
import { checkRoom, prepareFolder } from "./output-folder.ts";
import { placeFiles } from "./place-files.ts";
import { type ContentSink, streamTorrent } from "./stream-content.ts";
import type { TaskIndex } from "./task-index.ts";
import type { RunResult } from "./task-run.ts";

export interface FilesJob {
  readonly parts: { readonly runs: OpenRuns; readonly index: TaskIndex; readonly epochMs: () => number };
  readonly request: DownloadRequest;
  readonly signal: AbortSignal;
  readonly emit: (event: DownloadEvent) => void;
  readonly sink?: ContentSink;
}

interface Selected {
  readonly layout: TorrentLayout;
  readonly indices: readonly number[];
  readonly spans: readonly FileRange[];
  readonly totalBytes: number;
}

/** Rejects with SkimmerError, or the reason of `signal`. */
export async function fetchFiles(
  job: FilesJob,
  task: OpenTask & { readonly layout: TorrentLayout },
): Promise<Pick<DoneEvent, "output" | "bytes" | "infoHash" | "from" | "reason">> {
  const { parts, request, signal } = job;
  const selected = select(job, task.layout);
  const paths = selected.indices.map((index) => task.layout.files[index].path);
  const root = await prepareFolder(request, { name: task.layout.name, paths });
  await using handle = await parts.runs.open(task);
  const { torrent } = handle.run;
  await checkRoom(parts.index.directory(torrent.infoHash), missingBytes(torrent, selected.spans));
  if (request.fillFromOutput === true && root !== undefined) {
    const wanted = (index: number): boolean => selected.spans.some(({ first, last }) => index >= first && index <= last);
    await fillFromFiles(torrent, { layout: task.layout, root, wanted, signal });
  }
  const { from, reason } = await waitFor(job, handle, selected);
  if (root !== undefined) {
    const warn = (message: string): void => job.emit({ event: "warning", message });
    await placeFiles({
      torrent,
      layout: task.layout,
      indices: selected.indices,
      root,
      mode: request.outputMode,
      index: parts.index,
      warn,
      signal,
    });
  }
  await parts.index.update(torrent.infoHash, { lastUsedAtMs: parts.epochMs() });
  return { output: root ?? null, bytes: selected.totalBytes, infoHash: torrent.infoHash, from, reason };
}

function select({ request, sink }: FilesJob, layout: TorrentLayout): Selected {
  if (request.digest !== undefined || request.md5 !== undefined)
    throw new SkimmerError("bad_request", "a digest is that of one file, and this torrent has several", {
      hint: "Leave it out: every piece is checked against the torrent's hashes.",
    });
  const indices = selectFiles(layout, selectionOf(request));
  if (sink !== undefined && indices.length !== 1)
    throw new SkimmerError("bad_request", `${indices.length} files cannot go to standard output`, { hint: "Choose one with --files." });
  const totalBytes = indices.reduce((sum, index) => sum + layout.files[index].lengthBytes, 0);
  return { layout, indices, spans: spansOf(layout, indices), totalBytes };
}

/** What the caller chose, else what the magnet link says (BEP 53). */
function selectionOf({ files, torrent }: DownloadRequest): DownloadRequest["files"] {
  const given = files !== undefined && files.ranges.length + files.patterns.length > 0;
  return given ? files : { ranges: torrent?.selected ?? [], patterns: [] };
}

async function waitFor(job: FilesJob, { run }: RunHandle, selected: Selected): Promise<RunResult> {
  const { request, sink, signal } = job;
  const { layout, indices, spans, totalBytes } = selected;
  const { torrent } = run;
  const options = {
    spans: indices.length === layout.files.length ? undefined : spans,
    onProgress: ({ rate, peers, from }: { rate: number; peers: number; from: DoneEvent["from"] }): void => {
      const bytes = Math.max(0, totalBytes - missingBytes(torrent, spans));
      job.emit({ event: "progress", total: totalBytes, bytes, rate, peers, from });
    },
  };
  if (sink === undefined) return run.wait(request, { ...options, signal });
  const file = layout.files[indices[0]];
  const skipBytes = file.offset + Math.min(file.lengthBytes, request.stream?.skipBytes ?? 0);
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const reading = { torrent, skipBytes, endBytes: file.offset + file.lengthBytes, sink, cursor: run.openCursor(), signal: both };
  try {
    const [result] = await Promise.all([run.wait(request, { ...options, signal: both }), streamTorrent(reading)]);
    return result;
  } finally {
    ended.abort(new SkimmerError("cancelled", "the download has ended"));
  }
}

function missingBytes(torrent: Torrent, spans: readonly FileRange[]): number {
  let missing = 0;
  for (const { first, last } of spans)
    for (let index = first; index <= last; index++) if (!torrent.has(index)) missing += pieceLengthAt(torrent.geometry, index);
  return missing;
}
