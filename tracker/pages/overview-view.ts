/**
 * The first page: totals, the traffic of the last minutes, and the table of swarms. Decides.
 */
import { shownUrl } from "../../torrents/shown-url.ts";
import type { TaskRow as KnownTask } from "../task-table.ts";
import type { OverviewFields, TaskRow, View } from "./browser/shapes.ts";
import type { PageQuery } from "./page-query.ts";
import { topRows } from "./top-rows.ts";
import { peerShare, savedBytes } from "./totals-book.ts";
import { pieceCountOf, piecesReady, roundShare, swarmOf, taskRates, type Viewer, type ViewParts } from "./view-parts.ts";

/** The first one is the order of who asks for none; see readPageQuery(). */
export const TASK_SORTS = ["-active", "name", "-length", "-progress", "-seeds", "-leeches", "-rate", "state"] as const;

interface Entry {
  readonly row: KnownTask;
  readonly key: number | string;
  readonly lastUsedAt: string;
}

/** Makes the view. */
export function overviewView(parts: ViewParts, query: PageQuery, viewer: Viewer): View<OverviewFields, TaskRow> {
  const { tasks, swarms, seeders, standing, book, throughput } = parts;
  const { nowMs } = viewer;
  const rates = taskRates(book, nowMs);
  const counts = { live: 0, final: 0, failed: 0, hidden: 0 };
  const matching = function* (): Iterable<Entry> {
    for (const row of tasks.rows) {
      if (row.task.private && !viewer.seesPrivate) {
        counts.hidden++;
        continue;
      }
      counts[row.task.state]++;
      if (matches(row, query.search)) yield { row, key: keyOf(row, query.sort, { parts, rates, nowMs }), lastUsedAt: row.lastUsedAt };
    }
  };
  const { rows, total } = topRows(matching(), { ...query, compare: comparison(query.descending) });
  const { complete, incomplete } = swarms.totals(nowMs);
  const { all, sinceMs } = book.totals;
  const linked = seeders.seeders.length;
  const fields = {
    sinceMs,
    tasks: counts,
    seeds: complete,
    leeches: incomplete,
    hosts: [...book.hosts].filter(({ role }) => role === "peer").length,
    seeders: linked,
    bans: standing.bans(nowMs).length,
    bytes: { ...all },
    savedBytes: savedBytes(all),
    peerShare: peerShare(all) ?? null,
    now: throughput.latest ?? { atMs: 0, origin: 0, seeder: 0, peers: 0, fetched: 0 },
    total,
  };
  const shown = rows.map(({ row }) => describeTask(row, parts, { rate: rates.get(row.task.id) ?? 0, nowMs }));
  return { fields, rows: shown, once: { history: throughput.samples } };
}

function describeTask(row: KnownTask, { swarms, book }: ViewParts, { rate, nowMs }: { rate: number; nowMs: number }): TaskRow {
  const { task } = row;
  const { seeds, leeches } = swarmOf(swarms, row, nowMs);
  const pieceCount = pieceCountOf(task);
  return {
    key: task.id,
    name: task.name,
    url: shownUrl(task.url),
    state: task.state,
    private: task.private,
    lengthBytes: task.lengthBytes,
    progress: pieceCount === 0 ? 1 : roundShare(piecesReady(row, book) / pieceCount),
    seeds,
    leeches,
    rate,
    lastUsedMs: Date.parse(row.lastUsedAt),
  };
}

function matches({ task }: KnownTask, search: string): boolean {
  if (search === "") return true;
  if (task.name.toLowerCase().includes(search) || task.id.startsWith(search) || task.state === search) return true;
  if ([task.infoHash, task.infoHashV1, task.infoHashV2].some((hash) => hash === search)) return true;
  // what is shown is a part of the URL: most need not be made fit for showing
  return task.url.toLowerCase().includes(search) && shownUrl(task.url).toLowerCase().includes(search);
}

function keyOf(
  row: KnownTask,
  sort: string,
  { parts, rates, nowMs }: { parts: ViewParts; rates: ReadonlyMap<string, number>; nowMs: number },
): number | string {
  const { task } = row;
  switch (sort) {
    case "name":
      return task.name.toLowerCase();
    case "state":
      return task.state;
    case "length":
      return task.lengthBytes;
    case "progress":
      return task.lengthBytes === 0 ? 1 : piecesReady(row, parts.book) / pieceCountOf(task);
    case "seeds":
      return swarmOf(parts.swarms, row, nowMs).seeds;
    case "leeches":
      return swarmOf(parts.swarms, row, nowMs).leeches;
    default:
      return rates.get(task.id) ?? 0;
  }
}

/** Equals: the last used one first. */
function comparison(descending: boolean): (one: Entry, other: Entry) => number {
  const sign = descending ? -1 : 1;
  return (one, other) => {
    if (one.key !== other.key) return one.key < other.key ? -sign : sign;
    return one.lastUsedAt === other.lastUsedAt
      ? one.row.task.id < other.row.task.id
        ? -1
        : 1
      : one.lastUsedAt < other.lastUsedAt
        ? 1
        : -1;
  };
}
