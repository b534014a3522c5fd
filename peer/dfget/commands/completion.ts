/** `dfget completion bash|zsh|fish`: prints a completion script, made from the table of options. Wiring. */
import { SkimmerError } from "../../../system/errors.ts";
import { buildCommand, type CommandSpec, parseCommand } from "../../../system/options.ts";
import { type CompletedCommand, completionScript, SHELLS } from "../completion-script.ts";

const COMPLETION_COMMAND: CommandSpec = {
  name: "dfget completion",
  description: "Prints a completion script for a shell.",
  arguments: "<SHELL>",
  options: [],
  after: [
    "bash: dfget completion bash > /etc/bash_completion.d/dfget, or: source <(dfget completion bash)",
    "zsh: dfget completion zsh > a folder of $fpath/_dfget",
    "fish: dfget completion fish > ~/.config/fish/completions/dfget.fish",
  ].join("\n"),
};

/** Answers the exit code. */
export async function completion(argv: readonly string[]): Promise<number> {
  const parsed = await parseCommand(COMPLETION_COMMAND, argv);
  if (parsed === undefined) return 0;
  const shell = SHELLS.find((name) => name === parsed.args[0]);
  if (shell === undefined || parsed.args.length > 1)
    throw new SkimmerError("bad_request", `"${parsed.args.join(" ")}" is not a shell`, { hint: `One of ${SHELLS.join(", ")}.` });
  const { COMMAND_TABLE } = await import("../command-table.ts");
  const commands = Object.entries(COMMAND_TABLE).map(([name, spec]) => describe(name, spec));
  const own: CompletedCommand = { name: "completion", description: COMPLETION_COMMAND.description, options: [], words: SHELLS };
  process.stdout.write(completionScript(shell, [...commands, own]));
  return 0;
}

function describe(name: string, spec: CommandSpec): CompletedCommand {
  const options = buildCommand(spec)
    .options.filter((option) => !option.hidden)
    .map(({ short, long, description, required }) => ({ short, long: long ?? "", description, takesValue: required }));
  return { name, description: spec.description, options, words: [] };
}
