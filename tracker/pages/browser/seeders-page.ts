/**
 * The page of seeders: what they store, and how much room they have.
 */
import { showName } from "./cells.ts";
import { make, setText } from "./dom.ts";
import { formatBytes, formatCount, formatRate, formatShare, formatTime } from "./format.ts";
import { type Cell, LiveTable } from "./live-table.ts";
import { LiveView } from "./live-view.ts";
import type { ListFields, SeederRow } from "./shapes.ts";

const CELLS: readonly Cell<SeederRow>[] = [
  { column: "name", show: (cell, { name, address }) => showName(cell, { name: address, note: address.includes(name) ? "" : name }) },
  { column: "tasks", show: (cell, { tasks }) => setText(cell, formatCount(tasks)) },
  { column: "disk", show: showDisk },
  { column: "free", show: (cell, { availableBytes }) => setText(cell, formatBytes(availableBytes)) },
  { column: "fetch", show: (cell, { fetchRate }) => setText(cell, formatRate(fetchRate)) },
  { column: "up", show: (cell, { upRate }) => setText(cell, formatRate(upRate)) },
  { column: "since", show: (cell, { startedMs }) => setText(cell, startedMs === null ? "–" : formatTime(startedMs)) },
];

const table = new LiveTable<SeederRow>({
  cells: CELLS,
  empty: () => "No seeder is linked: nothing can be fetched.",
  onQuery: () => live.reload(),
});
const live = new LiveView<ListFields, SeederRow>({
  url: () => `/api/v1/stats/seeders?${table.query}`,
  show: ({ fields, rows }) => {
    table.show(rows, fields.total);
    setText("total", formatCount(fields.total));
  },
});

function showDisk(cell: Element, { usedBytes, quotaBytes }: SeederRow): void {
  const meter =
    cell.querySelector("meter") ?? cell.appendChild(make("meter", { min: 0, max: 1, high: 0.95, optimum: 0.5, "aria-hidden": "true" }));
  const note = cell.querySelector(".note") ?? cell.appendChild(make("span", { class: "note" }));
  const share = quotaBytes === 0 ? 0 : Math.min(1, usedBytes / quotaBytes);
  meter.value = share;
  setText(
    note,
    quotaBytes === 0 ? formatBytes(usedBytes) : `${formatBytes(usedBytes)} of ${formatBytes(quotaBytes)}, ${formatShare(share)}`,
  );
}
