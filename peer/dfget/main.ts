/** `dfget`: downloads, and the subcommands. Wiring: each module is loaded only when it is used; start-up time is a feature. */

type CommandModule = () => Promise<(args: readonly string[]) => Promise<number>>;

/** Subcommands by name. `dfget URL` needs no name. */
const COMMANDS: Readonly<Record<string, CommandModule>> = {
  ls: async () => (await import("./commands/ls.ts")).ls,
  rm: async () => (await import("./commands/rm.ts")).rm,
  info: async () => (await import("./commands/info.ts")).info,
  seed: async () => (await import("./commands/seed.ts")).seed,
  add: async () => (await import("./commands/add.ts")).add,
  import: async () => (await import("./commands/import.ts")).importFile,
  export: async () => (await import("./commands/export.ts")).exportFile,
  limit: async () => (await import("./commands/limit.ts")).limit,
  doctor: async () => (await import("./commands/doctor.ts")).doctor,
  completion: async () => (await import("./commands/completion.ts")).completion,
  preheat: async () => (await import("./commands/preheat.ts")).preheatCommand,
};

/** What a shell answers for a program that ended because nobody read its output any more. */
const EXIT_BROKEN_PIPE = 141;

/** Runs the command with these arguments (without program and script). */
export async function main(args: readonly string[]): Promise<void> {
  const [name = "", ...rest] = args;
  if (name === "daemon") return (await import("../../mirror/main.ts")).main(rest);
  process.stdout.on("error", onBrokenPipe);
  process.stderr.on("error", onBrokenPipe);
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (load === undefined) process.exitCode = await (await import("./download-command.ts")).downloadCommand(args);
    else process.exitCode = await (await load())(rest);
  } catch (thrown) {
    const { reportError } = await import("../../system/report-error.ts");
    process.exitCode = reportError(thrown, { command: load === undefined ? "dfget" : `dfget ${name}`, json: args.includes("--json") });
  }
}

/** `dfget -O - … | head`: the reader has what it wanted. */
function onBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(EXIT_BROKEN_PIPE);
}
