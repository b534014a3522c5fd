/** `dfget ls`: what this host has stored. Wiring. */
import { formatBytes } from "../../../system/units.ts";
import type { TaskRow } from "../../daemon/daemon-api.ts";
import { callDaemon } from "../call-daemon.ts";
import { printable } from "../progress-text.ts";
import { print, runSubcommand, subcommandSpec } from "../subcommand.ts";

export const LS_COMMAND = subcommandSpec({ name: "ls", description: "Lists what this host has stored, the last used first.", options: [] });

/** Answers the exit code. */
export function ls(argv: readonly string[]): Promise<number> {
  return runSubcommand(LS_COMMAND, argv, {
    args: [0, 0],
    run: async (invocation) => {
      const answer = await callDaemon<{ tasks: TaskRow[] }>({ ...invocation, method: "GET", path: "/v1/tasks" });
      print(invocation, answer, answer.tasks.map(taskLine));
      return 0;
    },
  });
}

/** One task in a line; decides. */
export function taskLine(task: TaskRow): string {
  const percent = task.lengthBytes === 0 ? 100 : Math.floor((task.bytesHave * 100) / task.lengthBytes);
  const state = task.downloading ? "downloading" : task.complete ? "complete" : "partial";
  const marks = task.pinned ? " pinned" : "";
  const size = formatBytes(task.lengthBytes).padStart(8);
  return printable(`${task.infoHash.slice(0, 12)}  ${size}  ${String(percent).padStart(3)} %  ${state}${marks}  ${task.name}  ${task.url}`);
}
