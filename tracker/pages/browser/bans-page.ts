/**
 * The page of bans, and of reports that led to none.
 */
import { showChip } from "./cells.ts";
import { setText } from "./dom.ts";
import { formatCount, formatShare, formatTime } from "./format.ts";
import { type Cell, LiveTable } from "./live-table.ts";
import { LiveView } from "./live-view.ts";
import type { BanRow, ListFields } from "./shapes.ts";

const CELLS: readonly Cell<BanRow>[] = [
  { column: "peer", show: (cell, { address }) => setText(cell, address) },
  {
    column: "state",
    show: (cell, { untilMs, share }) =>
      untilMs === null
        ? showChip(cell, { text: `reported, ${formatShare(share)} of a ban`, kind: "live" })
        : showChip(cell, { text: `banned until ${formatTime(untilMs)}`, kind: "failed" }),
  },
  { column: "reason", show: (cell, { reason }) => setText(cell, reason) },
  { column: "voices", show: (cell, { voices }) => setText(cell, formatCount(voices)) },
];

const table = new LiveTable<BanRow>({
  cells: CELLS,
  empty: () => "Nobody is banned, and nobody was reported.",
  onQuery: () => live.reload(),
});
const live = new LiveView<ListFields, BanRow>({
  url: () => `/api/v1/stats/bans?${table.query}`,
  show: ({ fields, rows }) => {
    table.show(rows, fields.total);
    setText("total", formatCount(fields.total));
  },
});
