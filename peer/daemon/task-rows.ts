/**
 * What the API tells of stored and running tasks. Decides.
 */
import { shownTracker } from "../discovery/shown-tracker.ts";
import type { TrackerStatus } from "../discovery/tracker-tiers.ts";
import { addAccounts } from "./byte-account.ts";
import type { TaskDetail, TaskRow } from "./daemon-api.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { TaskRun } from "./task-run.ts";

/** One row; `run` where the torrent is open. */
export function taskRow(entry: TaskEntry, run: TaskRun | undefined): TaskRow {
  const stats = run?.torrent.stats;
  const came = stats === undefined ? entry.from : addAccounts(run?.earlier, stats.from);
  return {
    infoHash: entry.infoHash,
    name: entry.name,
    url: entry.url,
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
  { directory, nowMs, trackers }: { directory: string; nowMs: number; trackers: readonly TrackerStatus[] },
): TaskDetail {
  const torrent = run?.torrent;
  const pieceCount = entry.pieceCount ?? Math.ceil(entry.lengthBytes / entry.pieceLengthBytes);
  return {
    ...taskRow(entry, run),
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
