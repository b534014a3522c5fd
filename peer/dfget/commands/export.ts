/** `dfget export TASK`: writes stored content to a file, without asking anybody. Wiring. */
import { SkimmerError } from "../../../system/errors.ts";
import { askTask } from "../ask-task.ts";
import { fetchOne, PROGRESS_OPTIONS } from "../fetch-one.ts";
import { runSubcommand, subcommandSpec } from "../subcommand.ts";
import { torrentOutput } from "../torrent-output.ts";

export const EXPORT_COMMAND = subcommandSpec({
  name: "export",
  description: "Writes what this host has stored to a file, without asking origin or supernode.",
  arguments: "<TASK>",
  options: [
    { flags: "-o, --output <FILE>", help: "file to write; - is standard output; absent: the task's name, in the current folder" },
    ...PROGRESS_OPTIONS,
  ],
  after: "TASK is an info hash or its beginning, a URL, or a name, as dfget ls shows them.",
});

/** Answers the exit code. */
export function exportFile(argv: readonly string[]): Promise<number> {
  return runSubcommand(EXPORT_COMMAND, argv, {
    args: [1, 1],
    run: async (invocation) => {
      const task = await askTask(invocation, invocation.args[0]);
      if (!task.complete)
        throw new SkimmerError("bad_request", `${task.name} is not complete`, { hint: `dfget '${task.url}' downloads the rest.` });
      const url = `magnet:?xt=urn:btih:${task.infoHash}`;
      return fetchOne(invocation, {
        url: task.url,
        name: task.name,
        ...(await torrentOutput(invocation.options.output as string | undefined, { name: task.name, place: invocation.place })),
        body: { url },
      });
    },
  });
}
