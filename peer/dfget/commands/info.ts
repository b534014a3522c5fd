/** `dfget info [TASK|TORRENT]`: one task with its pieces, its peers and where its bytes came from; a torrent; or the daemon. Wiring. */
import { formatBytes, formatDuration, formatRate } from "../../../system/units.ts";
import type { DaemonInfo, TaskDetail, TorrentListing } from "../../daemon/daemon-api.ts";
import { askTask, urlQuery } from "../ask-task.ts";
import { callDaemon } from "../call-daemon.ts";
import { printable } from "../progress-text.ts";
import { isTorrent, readTorrent } from "../read-torrent.ts";
import { type Invocation, print, runSubcommand, subcommandSpec } from "../subcommand.ts";
import { placeLines, torrentLines } from "../torrent-text.ts";

export const INFO_COMMAND = subcommandSpec({
  name: "info",
  description:
    "Shows a task: pieces, peers, where every byte came from, and where it is looked for. Or what is in a torrent, and where dfget add would look for it. Without either: the host daemon.",
  arguments: "[TASK|TORRENT]",
  options: [],
  after:
    "TASK is an info hash or its beginning, a URL, or a name, as dfget ls shows them.\nTORRENT is a .torrent file, the URL of one (it ends with .torrent), or a magnet link.",
});

/** Answers the exit code. */
export function info(argv: readonly string[]): Promise<number> {
  return runSubcommand(INFO_COMMAND, argv, {
    args: [0, 1],
    run: async (invocation) => {
      const [text] = invocation.args;
      if (text === undefined) await showDaemon(invocation);
      else if (await isTorrent(text)) await showTorrent(invocation, text);
      else await showTask(invocation, text);
      return 0;
    },
  });
}

async function showDaemon(invocation: Invocation): Promise<void> {
  const daemon = await callDaemon<DaemonInfo>({ ...invocation, method: "GET", path: "/v1/info" });
  const lines = Object.entries(daemon).map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") : value}`);
  print(invocation, daemon, lines);
}

async function showTorrent(invocation: Invocation, text: string): Promise<void> {
  const { body } = await readTorrent(text, invocation);
  const torrent = await callDaemon<TorrentListing>({ ...invocation, method: "POST", path: "/v1/torrents", body });
  print(invocation, torrent, torrentLines(torrent));
}

async function showTask(invocation: Invocation, text: string): Promise<void> {
  const { infoHash } = await askTask(invocation, text);
  const task = await callDaemon<TaskDetail>({ ...invocation, method: "GET", path: `/v1/tasks/${infoHash}${urlQuery(text)}` });
  print(invocation, task, detailLines(task));
}

/** A task for people; decides. */
export function detailLines(task: TaskDetail): string[] {
  const from = Object.entries(task.from ?? {}).filter(([, bytes]) => bytes > 0);
  const lines = [
    `name: ${task.name}`,
    `url: ${task.url}`,
    `info hash: ${task.infoHash}`,
    ...(task.infoHashV1 === null ? [] : [`info hash v1: ${task.infoHashV1}`]),
    ...(task.infoHashV2 === null ? [] : [`info hash v2: ${task.infoHashV2}`]),
    `length: ${task.lengthBytes} bytes (${formatBytes(task.lengthBytes)})`,
    `pieces: ${task.piecesHave} of ${task.pieceCount}, ${formatBytes(task.pieceLengthBytes)} each`,
    `came from: ${from.length === 0 ? "not known" : from.map(([source, bytes]) => `${source} ${formatBytes(bytes)}`).join(", ")}`,
    `sent to peers: ${formatBytes(task.uploadedBytes)}`,
    `last used: ${task.lastUsedAt}${task.pinned ? ", pinned" : ""}${task.linked ? ", shares its file with an output" : ""}`,
    `folder: ${task.directory}`,
    ...placeLines(task, task.trackerStates),
    `peers: ${task.connected.length} connected, ${task.bannedPeers} banned`,
    ...task.banned.map(
      ({ host, port, reason, seconds }) =>
        `  ${host}${port === 0 ? "" : `:${port}`} is left alone for ${formatDuration(seconds * 1000)}: it ${reason}`,
    ),
    ...task.connected.map(
      (peer) =>
        `  ${peer.host}${peer.transport === "webrtc" ? " over WebRTC" : `:${peer.port}`}${peer.seeder ? " seeder" : ""}, has ${peer.piecesHave} of ${task.pieceCount}, ${formatRate(peer.downloadBytesPerSecond)}, got ${formatBytes(peer.uploadedBytes)} from here`,
    ),
  ];
  return lines.map(printable);
}
