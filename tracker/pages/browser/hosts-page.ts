/**
 * The page of host daemons.
 */
import { placeText, showName, showParts } from "./cells.ts";
import { make, setText } from "./dom.ts";
import { formatBytes, formatCount, formatRate, formatTime } from "./format.ts";
import { type Cell, LiveTable } from "./live-table.ts";
import { LiveView } from "./live-view.ts";
import type { HostRow, ListFields } from "./shapes.ts";

const CELLS: readonly Cell<HostRow>[] = [
  {
    column: "name",
    show: (cell, { name, address, version, startedMs }) =>
      showName(cell, { name, note: `${address} · ${version} · since ${formatTime(startedMs)}` }),
  },
  { column: "place", show: (cell, row) => setText(cell, placeText(row)) },
  {
    column: "tasks",
    show: (cell, { tasks, active }) => setText(cell, active === 0 ? formatCount(tasks) : `${formatCount(tasks)} (${active} active)`),
  },
  { column: "down", show: (cell, { downRate }) => setText(cell, formatRate(downRate)) },
  { column: "up", show: (cell, { upRate }) => setText(cell, formatRate(upRate)) },
  { column: "got", show: (cell, { from }) => setText(cell, formatBytes(from.origin + from.seeder + from.peers)) },
  { column: "sent", show: (cell, { uploadedBytes }) => setText(cell, formatBytes(uploadedBytes)) },
  {
    column: "from",
    show: (cell, { from }) => showParts(cell.querySelector(".parts") ?? cell.appendChild(make("div")), from),
  },
];

const table = new LiveTable<HostRow>({
  cells: CELLS,
  empty: (search) => (search === "" ? "No host reports here yet." : `No host matches “${search}”.`),
  onQuery: () => live.reload(),
});
const live = new LiveView<ListFields, HostRow>({
  url: () => `/api/v1/stats/hosts?${table.query}`,
  show: ({ fields, rows }) => {
    table.show(rows, fields.total);
    setText("total", formatCount(fields.total));
  },
});
