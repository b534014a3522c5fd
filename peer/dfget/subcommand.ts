/**
 * What all subcommands have in common: the daemon's place, --json, the end by Ctrl-C. Drives the signals.
 */
import { SkimmerError } from "../../system/errors.ts";
import { type CommandSpec, type OptionSpec, type ParsedCommand, parseCommand } from "../../system/options.ts";
import { SHARED_OPTIONS } from "../daemon/shared-options.ts";
import { type DaemonPlace, readDaemonPlace } from "./daemon-place.ts";
import { DFGET_COMMAND } from "./dfget-command.ts";

const JSON_OPTION: OptionSpec = { flags: "--json", help: "the answer as one line of JSON on standard output" };

/** A subcommand's description; common options are added. */
export function subcommandSpec(spec: Omit<CommandSpec, "configOf">): CommandSpec {
  return { ...spec, name: `dfget ${spec.name}`, options: [...spec.options, ...SHARED_OPTIONS, JSON_OPTION], configOf: DFGET_COMMAND };
}

export interface Invocation {
  readonly args: readonly string[];
  readonly options: ParsedCommand["options"];
  readonly place: DaemonPlace;
  readonly json: boolean;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

/** Parses and runs; answers the exit code. `args` bounds the number of arguments. */
export async function runSubcommand(
  spec: CommandSpec,
  argv: readonly string[],
  options: { readonly args: readonly [least: number, most: number]; readonly run: (invocation: Invocation) => Promise<number | undefined> },
): Promise<number> {
  const command = await parseCommand(spec, argv);
  if (command === undefined) return 0;
  const [least, most] = options.args;
  if (command.args.length < least || command.args.length > most) {
    const message = command.args.length < least ? "something is missing" : `"${command.args[most]}" is too much`;
    throw new SkimmerError("bad_request", message, { hint: `See ${spec.name} --help.` });
  }
  const ending = new AbortController();
  const cancel = (): void => ending.abort(new SkimmerError("cancelled", "cancelled"));
  process.on("SIGINT", cancel).on("SIGTERM", cancel);
  try {
    const place = readDaemonPlace(command.options);
    const json = command.options.json === true;
    return (await options.run({ args: command.args, options: command.options, place, json, signal: ending.signal })) ?? 0;
  } finally {
    process.off("SIGINT", cancel).off("SIGTERM", cancel);
  }
}

/** One JSON line, or lines for people. */
export function print(invocation: Pick<Invocation, "json">, value: unknown, lines: readonly string[]): void {
  const text = invocation.json ? JSON.stringify(value) : lines.join("\n");
  if (text !== "") process.stdout.write(`${text}\n`);
}
