/**
 * What the API shows of tasks and torrents: the store's entries, joined with what is open of them. Drives: asks peers for a link's metadata;
 * the shapes are made in task-rows.ts and list-torrent.ts.
 */
import type { Clock } from "../../system/clock.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { Discovery } from "../discovery/discovery.ts";
import type { TaskDetail, TaskRow, TorrentListing } from "./daemon-api.ts";
import type { Planner } from "./download-plan.ts";
import { listTorrent } from "./list-torrent.ts";
import type { OpenRuns } from "./open-runs.ts";
import type { TaskIndex } from "./task-index.ts";
import { taskDetail, taskRow } from "./task-rows.ts";
import type { Viewer } from "./torrent-places.ts";
import type { TorrentSource } from "./torrent-source.ts";

export interface TaskViewsOptions {
  readonly index: TaskIndex;
  readonly runs: Pick<OpenRuns, "get" | "trackersOf">;
  readonly planner: Pick<Planner, "fetchInfos">;
  readonly discovery: Pick<Discovery, "waysOf">;
  readonly clock: Clock;
}

export class TaskViews {
  readonly #options: TaskViewsOptions;

  constructor(options: TaskViewsOptions) {
    this.#options = options;
  }

  /** All that is stored, the last used first. */
  rows(viewer: Viewer): TaskRow[] {
    const { index, runs } = this.#options;
    return index.list().map((entry) => taskRow(entry, runs.get(entry.infoHash), viewer));
  }

  /** By any of its info hashes. */
  detail(infoHash: InfoHash, viewer: Viewer): TaskDetail | undefined {
    const { index, runs, discovery, clock } = this.#options;
    const entry = index.findByHashes([infoHash]);
    if (entry === undefined) return undefined;
    return taskDetail(entry, runs.get(entry.infoHash), {
      viewer,
      directory: index.directory(entry.infoHash),
      nowMs: clock.nowMs(),
      trackers: runs.trackersOf(entry.infoHash),
      waysOf: (openness) => discovery.waysOf(openness),
    });
  }

  /** What is in a torrent, and where a download of it would look. Rejects with SkimmerError `no_progress` where nobody has a link's metadata. */
  async torrent(source: TorrentSource, options: { viewer: Viewer; signal: AbortSignal }): Promise<TorrentListing> {
    const { index, planner, discovery } = this.#options;
    return listTorrent(source, { index, planner, waysOf: (openness) => discovery.waysOf(openness), ...options });
  }
}
