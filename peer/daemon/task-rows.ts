/**
 * What the API tells of stored and running tasks. Decides.
 */
import { shownTracker } from "../discovery/shown-tracker.ts";
import type { TrackerStatus } from "../discovery/tracker-tiers.ts";
import { addAccounts } from "./byte-account.ts";
import type { TaskDetail, TaskRow } from "./daemon-api.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { TaskRun } from "./task-run.ts";
import { placesOf, urlFor, type Viewer, type WaysOf } from "./torrent-places.ts";

/** One row; `run` where the torrent is open. */
export function taskRow(entry: TaskEntry, run: TaskRun | undefined, viewer: Viewer): TaskRow {
  const stats = run?.torrent.stats;
  const came = stats === undefined ? entry.from : addAccounts(run?.earlier, stats.from);
  return {
    infoHash: entry.infoHash,
    name: entry.name,
    url: urlFor(viewer, entry.url),
    lengthBytes: entry.lengthBytes,
    bytesHave: stats?.bytesHave ?? (entry.complete ? entry.lengthBytes : 0),
    complete: run?.torrent.complete ?? entry.complete,
    downloading: (run?.waiting ?? 0) > 0,
    uploadedBytes: stats?.uploadedBytes ?? 0,
    peers: stats?.connections ?? 0,
    from: came === undefined ? null : { ...came, cache: 0 },
    lastUsedAt: new Date(entry.lastUsedAtMs).toISOString(),
    pinned: entry.pinned === true,
  };
}

/** Everything that is known of one task. */
export function taskDetail(
  entry: TaskEntry,
  run: TaskRun | undefined,
  options: { viewer: Viewer; directory: string; nowMs: number; trackers: readonly TrackerStatus[]; waysOf: WaysOf },
): TaskDetail {
  const { viewer, directory, nowMs, trackers } = options;
  const torrent = run?.torrent;
  const pieceCount = entry.pieceCount ?? Math.ceil(entry.lengthBytes / entry.pieceLengthBytes);
  return {
    ...taskRow(entry, run, viewer),
    ...placesOf(entry, options),
    infoHashV1: entry.infoHashV1 ?? torrent?.infoHashes.v1 ?? null,
    infoHashV2: entry.infoHashV2 ?? torrent?.infoHashes.v2 ?? null,
    pieceLengthBytes: entry.pieceLengthBytes,
    pieceCount,
    piecesHave: torrent?.stats.piecesHave ?? (entry.complete ? pieceCount : 0),
    trackers: entry.trackers.flat().map(shownTracker),
    trackerStates: trackers,
    directory,
    linked: entry.linked !== undefined,
    bannedPeers: torrent?.stats.bannedPeers ?? 0,
    banned: (torrent?.banned ?? []).map(({ id, host, port, offence, reason, offences, untilMs }) => ({
      host,
      port,
      peerId: id,
      offence,
      reason,
      offences,
      seconds: Math.round((untilMs - nowMs) / 1000),
    })),
    connected: torrent?.peers ?? [],
  };
}
