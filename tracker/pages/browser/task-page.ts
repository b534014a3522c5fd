/**
 * The page of one task.
 */
import { offerDelete, offerPreheat } from "./actions.ts";
import { describeParts, placeText, showChip, showName, showParts, showProgress } from "./cells.ts";
import { byId, make, setNotice, setText } from "./dom.ts";
import { DownloadHere } from "./download-here.ts";
import { formatBytes, formatCount, formatRate, formatShare, formatTime, plural } from "./format.ts";
import { type Cell, LiveTable } from "./live-table.ts";
import { LiveView } from "./live-view.ts";
import { PieceCanvas } from "./piece-canvas.ts";
import type { PeerRow, TaskFields, View } from "./shapes.ts";

const ROLES = { seeder: "seeder", host: "host", client: "client" } as const;

const CELLS: readonly Cell<PeerRow>[] = [
  { column: "name", show: showPeer },
  { column: "place", show: (cell, row) => setText(cell, placeText(row)) },
  { column: "progress", show: (cell, { progress }) => showProgress(cell, progress) },
  { column: "down", show: (cell, { downRate }) => setText(cell, downRate === null ? "not told" : formatRate(downRate)) },
  { column: "up", show: (cell, { upRate }) => setText(cell, upRate === null ? "not told" : formatRate(upRate)) },
  { column: "from", show: showFrom },
];

const id = byId("task").dataset.id ?? "";
const map = new PieceCanvas();
const table = new LiveTable<PeerRow>({ cells: CELLS, empty: () => "Nobody is in this swarm just now.", onQuery: () => live.reload() });
const live = new LiveView<TaskFields, PeerRow>({ url: () => `/api/v1/stats/tasks/${id}?${table.query}`, show, onGone });
const here = new DownloadHere(id);
let magnetOf = "";
offerPreheat(() => undefined);
offerDelete(id);

function show({ fields, rows }: View<TaskFields, PeerRow>): void {
  table.show(rows, fields.total);
  map.show(fields);
  const { bytes, lengthBytes } = fields;
  showChip(byId("state"), { text: fields.private ? `${fields.state}, private` : fields.state, kind: fields.state });
  setNotice(byId("task-error"), fields.error ?? "");
  setText("length", formatBytes(lengthBytes));
  setText("length-note", `${formatCount(lengthBytes)} bytes`);
  setText("progress", formatShare(fields.pieceCount === 0 ? 1 : fields.piecesReady / fields.pieceCount));
  setText("progress-note", `${formatCount(fields.piecesReady)} of ${plural(fields.pieceCount, "piece")}`);
  setText("peers", formatCount(fields.seeds + fields.leeches));
  setText(
    "peers-note",
    `${plural(fields.seeds, "seed")}, ${plural(fields.leeches, "leech", "leeches")}${fields.browsers > 0 ? `, ${plural(fields.browsers, "browser")}` : ""}`,
  );
  setText("rate", formatRate(fields.rate));
  setText("rate-note", "all hosts together");
  setText("share", fields.peerShare === null ? "–" : `${formatShare(fields.peerShare)} from hosts`);
  setText("share-note", describeParts(bytes));
  showParts(byId("share-bar"), bytes);
  setText("saved", formatBytes(fields.savedBytes));
  const copies = lengthBytes === 0 ? 0 : (bytes.fetched + bytes.origin) / lengthBytes;
  setText("saved-note", `the origin sent ${formatBytes(bytes.fetched + bytes.origin)}, ${copies.toFixed(2)} copies`);
  setText("total", formatCount(fields.total));
  showAbout(fields);
  offerTorrents(fields);
  here.update(fields);
}

function onGone(): void {
  setNotice(byId("notice"), "This task is no more: it was deleted, or nobody has it.");
  for (const element of document.querySelectorAll<HTMLElement>(".actions .button")) element.hidden = true;
}

function showPeer(cell: Element, { role, name, address, client, banned, paused }: PeerRow): void {
  const marks = [ROLES[role], banned ? "banned" : "", paused ? "paused" : ""].filter((mark) => mark !== "");
  showName(cell, { name, note: [name === address ? "" : address, client, ...marks].filter((text) => text !== "").join(" · ") });
}

function showFrom(cell: Element, { from, uploadedBytes }: PeerRow): void {
  const bar = cell.querySelector(".parts") ?? cell.appendChild(make("div", { class: "parts" }));
  showParts(bar, from);
  const note = cell.querySelector(".note") ?? cell.appendChild(make("span", { class: "note" }));
  const got = from === null ? 0 : from.origin + from.seeder + from.peers;
  setText(note, from === null ? "not told" : `${formatBytes(got)} · sent ${formatBytes(uploadedBytes ?? 0)}`);
}

/** The buttons of final, public tasks. */
function offerTorrents({ state, private: hidden, infoHashV1 }: TaskFields): void {
  const open = state === "final" && !hidden && infoHashV1 !== null;
  for (const [name, url] of [
    ["torrent", `/api/v1/tasks/${id}/torrent`],
    ["torrent-v2", `/api/v1/tasks/${id}/torrent?version=2`],
  ] as const) {
    const link = byId<HTMLAnchorElement>(name);
    link.hidden = !open;
    if (link.getAttribute("href") !== url) link.setAttribute("href", url);
  }
  byId("delete-open").hidden = hidden;
  if (!open || magnetOf === infoHashV1) return;
  magnetOf = infoHashV1;
  void fetch(`/api/v1/tasks/${id}/magnet`)
    .then(async (answer) => {
      const text = (await answer.text()).trim();
      if (!answer.ok || !text.startsWith("magnet:?")) return;
      const link = byId<HTMLAnchorElement>("magnet");
      link.setAttribute("href", text);
      link.hidden = false;
    })
    .catch(() => {
      magnetOf = "";
    });
}

function showAbout(fields: TaskFields): void {
  const absent = fields.private ? "not shown: the task is private" : "once it is final";
  const rows: readonly (readonly [string, string])[] = [
    ["Task", fields.id],
    ["Live info hash", fields.infoHash ?? absent],
    ["v1 info hash", fields.infoHashV1 ?? absent],
    ["v2 info hash", fields.infoHashV2 ?? absent],
    ["Piece length", formatBytes(fields.pieceLengthBytes)],
    ["Known since", formatTime(fields.createdMs)],
  ];
  const list = byId("about");
  if (list.childElementCount === 0) for (const [name] of rows) list.append(make("div", {}, make("dt", {}, name), make("dd")));
  for (const [index, [, value]] of rows.entries()) setText(list.querySelectorAll("dd")[index], value);
}
