/**
 * What the views are made from, and what several of them need. Decides.
 */
import type { PeerId, TaskId } from "../../torrents/ids.ts";
import type { PeerStanding } from "../peer-standing.ts";
import type { SeederRegistry } from "../seeder-registry.ts";
import { hashKey } from "../swarm/ask.ts";
import type { SwarmGroup } from "../swarm/swarm-group.ts";
import type { SwarmStore } from "../swarm/swarm-store.ts";
import type { TaskRow as KnownTask, TaskTable } from "../task-table.ts";
import { type HostBook, isCurrent } from "./host-book.ts";
import type { Throughput } from "./throughput.ts";

export interface ViewParts {
  readonly tasks: TaskTable;
  readonly swarms: SwarmStore;
  readonly seeders: SeederRegistry;
  readonly standing: PeerStanding;
  readonly book: HostBook;
  readonly throughput: Throughput;
  /** Milliseconds between the epoch and the monotonic clock's zero. */
  readonly wallOffsetMs: number;
}

export interface SwarmSummary {
  readonly group: SwarmGroup | undefined;
  readonly seeds: number;
  readonly leeches: number;
  readonly browsers: number;
}

/** Who asks, and when. */
export interface Viewer {
  readonly nowMs: number;
  /** Private tasks are shown to him. */
  readonly seesPrivate: boolean;
}

/** Bytes per second that the hosts receive of each task. */
export function taskRates(book: HostBook, nowMs: number): Map<TaskId, number> {
  const rates = new Map<TaskId, number>();
  for (const host of book.hosts) {
    if (host.role === "seeder" || !isCurrent(host, host.seenMs, nowMs)) continue;
    for (const [id, { status, seenMs }] of host.tasks) {
      if (status.downloadBytesPerSecond === 0 || !isCurrent(host, seenMs, nowMs)) continue;
      rates.set(id, (rates.get(id) ?? 0) + status.downloadBytesPerSecond);
    }
  }
  return rates;
}

/** The swarms of a task, and how many are in them: ours, standard clients whatever hash they know, browsers. */
export function swarmOf(swarms: SwarmStore, { task }: KnownTask, nowMs: number): SwarmSummary {
  const group = swarms.find(hashKey(task.infoHash))?.group;
  if (group === undefined) return { group, seeds: 0, leeches: 0, browsers: 0 };
  group.expire(nowMs);
  const { complete, incomplete } = group.totals;
  const summary = { group, seeds: complete, leeches: incomplete, browsers: 0 };
  for (const { web } of group.swarms) {
    const counts = web?.counts(nowMs);
    if (counts === undefined) continue;
    summary.seeds += counts.complete;
    summary.leeches += counts.incomplete;
    summary.browsers += counts.complete + counts.incomplete;
  }
  return summary;
}

/** Pieces that the fullest seeder holds. */
export function piecesReady({ task, seeders }: KnownTask, book: HostBook): number {
  const pieceCount = pieceCountOf(task);
  if (task.state === "final") return pieceCount;
  let most = task.piecesReady;
  for (const id of seeders) most = Math.max(most, book.find(id as PeerId)?.tasks.get(task.id)?.status.piecesHave ?? 0);
  return Math.min(pieceCount, most);
}

export function pieceCountOf(task: KnownTask["task"]): number {
  return Math.ceil(task.lengthBytes / task.pieceLengthBytes);
}

/** To a tenth of a per cent: smaller changes are not worth telling. */
export function roundShare(share: number): number {
  return Math.round(share * 1000) / 1000;
}
