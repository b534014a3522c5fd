/** `dfget info [TASK]`: one task with its pieces, its peers and where its bytes came from; without one, the daemon. Wiring. */
import { formatBytes, formatDuration, formatRate } from "../../../system/units.ts";
import type { DaemonInfo, TaskDetail, TaskRow } from "../../daemon/daemon-api.ts";
import { callDaemon } from "../call-daemon.ts";
import { findTask } from "../find-task.ts";
import { printable } from "../progress-text.ts";
import { print, runSubcommand, subcommandSpec } from "../subcommand.ts";

export const INFO_COMMAND = subcommandSpec({
  name: "info",
  description: "Shows a task: pieces, peers, and where every byte came from. Without a task: the host daemon.",
  arguments: "[TASK]",
  options: [],
  after: "TASK is an info hash or its beginning, a URL, or a name, as dfget ls shows them.",
});

/** Answers the exit code. */
export function info(argv: readonly string[]): Promise<number> {
  return runSubcommand(INFO_COMMAND, argv, {
    args: [0, 1],
    run: async (invocation) => {
      if (invocation.args.length === 0) {
        const daemon = await callDaemon<DaemonInfo>({ ...invocation, method: "GET", path: "/v1/info" });
        print(
          invocation,
          daemon,
          Object.entries(daemon).map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") : value}`),
        );
        return 0;
      }
      const { tasks } = await callDaemon<{ tasks: TaskRow[] }>({ ...invocation, method: "GET", path: "/v1/tasks" });
      const { infoHash } = findTask(tasks, invocation.args[0]);
      const task = await callDaemon<TaskDetail>({ ...invocation, method: "GET", path: `/v1/tasks/${infoHash}` });
      print(invocation, task, detailLines(task));
      return 0;
    },
  });
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
    ...task.trackers.map((tracker) => trackerLine(tracker, task.trackerStates)),
    `peers: ${task.connected.length} connected, ${task.bannedPeers} banned`,
    ...task.banned.map(
      ({ host, port, reason, seconds }) =>
        `  ${host}${port === 0 ? "" : `:${port}`} is left alone for ${formatDuration(seconds * 1000)}: it ${reason}`,
    ),
    ...task.connected.map(
      (peer) =>
        `  ${peer.host}:${peer.port}${peer.seeder ? " seeder" : ""}, has ${peer.piecesHave} of ${task.pieceCount}, ${formatRate(peer.downloadBytesPerSecond)}, got ${formatBytes(peer.uploadedBytes)} from here`,
    ),
  ];
  return lines.map(printable);
}

function trackerLine(url: string, states: TaskDetail["trackerStates"]): string {
  const found = states.find((state) => state.url === url);
  if (found === undefined) return `tracker: ${url}`;
  const { state, message, seeds, leeches } = found;
  const swarm = seeds === undefined || leeches === undefined ? [] : [`${seeds} complete, ${leeches} not`];
  return `tracker: ${url} ${[state, ...swarm, ...(message === undefined ? [] : [message])].join(", ")}`;
}
