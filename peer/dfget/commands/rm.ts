/** `dfget rm TASK…`: removes content from this host's store; outputs stay. Wiring. */
import { SkimmerError } from "../../../system/errors.ts";
import type { TaskRow } from "../../daemon/daemon-api.ts";
import { callDaemon } from "../call-daemon.ts";
import { findTask } from "../find-task.ts";
import { print, runSubcommand, subcommandSpec } from "../subcommand.ts";

const MOST = 1000;
export const RM_COMMAND = subcommandSpec({
  name: "rm",
  description: "Removes content from this host's store. Files that were downloaded stay where they are.",
  arguments: "[TASK...]",
  options: [{ flags: "--all", help: "everything, pinned tasks too" }],
  after: "TASK is an info hash or its beginning, a URL, or a name, as dfget ls shows them.",
});

/** Answers the exit code. */
export function rm(argv: readonly string[]): Promise<number> {
  return runSubcommand(RM_COMMAND, argv, {
    args: [0, MOST],
    run: async (invocation) => {
      const { args, options } = invocation;
      if ((args.length === 0) !== (options.all === true))
        throw new SkimmerError("bad_request", "give tasks, or --all", { hint: "dfget ls shows what there is." });
      const { tasks } = await callDaemon<{ tasks: TaskRow[] }>({ ...invocation, method: "GET", path: "/v1/tasks" });
      const wanted = options.all === true ? tasks : args.map((text) => findTask(tasks, text));
      for (const { infoHash } of wanted) await callDaemon({ ...invocation, method: "DELETE", path: `/v1/tasks/${infoHash}` });
      print(
        invocation,
        { removed: wanted.map(({ infoHash }) => infoHash) },
        wanted.map(({ infoHash, name }) => `removed ${infoHash.slice(0, 12)}  ${name}`),
      );
      return 0;
    },
  });
}
