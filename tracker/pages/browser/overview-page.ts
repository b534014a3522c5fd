/**
 * The first page: totals, throughput, swarms.
 */
import { offerPreheat } from "./actions.ts";
import { showChip, showName, showParts, showProgress } from "./cells.ts";
import { Chart } from "./chart.ts";
import { byId, setNotice, setText } from "./dom.ts";
import { formatBytes, formatCount, formatRate, formatShare, formatTime, plural } from "./format.ts";
import { type Cell, LiveTable } from "./live-table.ts";
import { LiveView } from "./live-view.ts";
import type { OverviewFields, Rates, TaskRow, View } from "./shapes.ts";

const CELLS: readonly Cell<TaskRow>[] = [
  { column: "name", show: (cell, { key, name, url }) => showName(cell, { name, note: url, href: `/tasks/${key}` }) },
  {
    column: "state",
    show: (cell, { state, private: hidden }) => showChip(cell, { text: hidden ? `${state}, private` : state, kind: state }),
  },
  { column: "length", show: (cell, { lengthBytes }) => setText(cell, formatBytes(lengthBytes)) },
  { column: "progress", show: (cell, { progress }) => showProgress(cell, progress) },
  { column: "seeds", show: (cell, { seeds }) => setText(cell, formatCount(seeds)) },
  { column: "leeches", show: (cell, { leeches }) => setText(cell, formatCount(leeches)) },
  { column: "rate", show: (cell, { rate }) => setText(cell, formatRate(rate)) },
];

const chart = new Chart();
const table = new LiveTable<TaskRow>({
  cells: CELLS,
  empty: (search) => (search === "" ? "No tasks yet. The first dfget of a URL makes one." : `No task matches “${search}”.`),
  onQuery: () => live.reload(),
});
const live = new LiveView<OverviewFields, TaskRow>({ url: () => `/api/v1/stats?${table.query}`, show });
offerPreheat(() => undefined);

function show({ fields, rows, once }: View<OverviewFields, TaskRow>, fresh: boolean): void {
  if (fresh) chart.reset((once?.history as readonly Rates[] | undefined) ?? []);
  else chart.add(fields.now);
  table.show(rows, fields.total);
  const { bytes, tasks } = fields;
  const received = bytes.origin + bytes.seeder + bytes.peers;
  setText("saved", formatBytes(fields.savedBytes));
  setText(
    "saved-note",
    `hosts received ${formatBytes(received)}, origins sent ${formatBytes(bytes.fetched + bytes.origin)}, since ${formatTime(fields.sinceMs)}`,
  );
  setText("share", fields.peerShare === null ? "–" : formatShare(fields.peerShare));
  setText("share-note", received === 0 ? "nothing received yet" : shareNote(bytes));
  showParts(byId("share-bar"), bytes);
  setText("tasks", formatCount(tasks.live + tasks.final + tasks.failed + tasks.hidden));
  setText("tasks-note", `${tasks.live} live${tasks.failed > 0 ? `, ${tasks.failed} failed` : ""}`);
  setText("peers", formatCount(fields.seeds + fields.leeches));
  setText("peers-note", `${plural(fields.seeds, "seed")}, ${plural(fields.leeches, "leech", "leeches")}`);
  setText("hosts", formatCount(fields.hosts));
  setText("hosts-note", fields.bans > 0 ? plural(fields.bans, "banned peer") : "that report here");
  setText("seeders", formatCount(fields.seeders));
  setText("seeders-note", fields.now.fetched > 0 ? `fetch ${formatRate(fields.now.fetched)}` : "linked");
  setText("total", formatCount(fields.total));
  setNotice(
    byId("hidden-tasks"),
    tasks.hidden === 0 ? "" : `${plural(tasks.hidden, "private task")} not shown: that needs a token with the scope read.`,
  );
}

function shareNote({ seeder, peers, origin }: OverviewFields["bytes"]): string {
  return `${formatBytes(peers)} from other hosts, ${formatBytes(seeder)} from seeders, ${formatBytes(origin)} straight from origins`;
}
