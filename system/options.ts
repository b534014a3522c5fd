/**
 * Command options, each under one name everywhere: `--upload-limit`, `SKIMMER_UPLOAD_LIMIT`, `upload-limit:` in the
 * configuration file. Precedence: flag, environment, file, default. Unknown keys in the file fail.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Command, CommanderError, Option } from "commander";
import { SkimmerError } from "./errors.ts";

export interface OptionSpec {
  /** As commander takes it: `--upload-limit <RATE>`, `-o, --output <FILE>`. */
  readonly flags: string;
  /** What it does, its unit, and the meaning of 0 and of absent. */
  readonly help: string;
  readonly default?: unknown;
  /** The default in words, where the value itself says little. */
  readonly defaultText?: string;
  /** Reads the text; throws SkimmerError `bad_request`. */
  readonly parse?: (text: string, previous: unknown) => unknown;
  /** Old names kept for scripts: accepted, not shown. */
  readonly hidden?: boolean;
}

export interface CommandSpec {
  readonly name: string;
  readonly description: string;
  readonly arguments?: string;
  readonly options: readonly OptionSpec[];
  /** Shown below the options. */
  readonly after?: string;
}

export interface ParsedCommand {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  /** Where the option's value is from: `cli`, `env`, `config`, `default` or undefined. */
  sourceOf(name: string): string | undefined;
}

export const VERSION = "0.1.0";

const CONFIG: OptionSpec = {
  flags: "--config <FILE>",
  help: "YAML file with options; absent: /etc/skimmer/NAME.yaml, then ~/.config/skimmer/NAME.yaml where they exist",
};
const PRINT: OptionSpec = { flags: "--print-config", help: "print the effective options as JSON, with the source of each, and exit" };

/** Parses the command line. Undefined: help, version or configuration was printed and there is nothing to do. */
export async function parseCommand(spec: CommandSpec, argv: readonly string[]): Promise<ParsedCommand | undefined> {
  const command = buildCommand(spec);
  try {
    command.parse([...argv], { from: "user" });
    await applyFile(spec, command);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw new SkimmerError("bad_request", error.message.replace(/^error: /, ""), { hint: `See ${spec.name} --help.` });
  }
  if (command.opts().printConfig === true) {
    process.stdout.write(`${JSON.stringify(describe(command), undefined, 2)}\n`);
    return undefined;
  }
  return { args: command.args, options: command.opts(), sourceOf: (name) => command.getOptionValueSource(name) };
}

/** The commander command behind a spec; also what documentation is generated from. */
export function buildCommand(spec: CommandSpec): Command {
  const command = new Command(spec.name)
    .description(spec.description)
    .version(VERSION, "--version", "print the version and exit")
    .exitOverride();
  command.configureOutput({ writeErr: () => undefined });
  command.helpOption("-h, --help", "print this help and exit");
  if (spec.arguments !== undefined) command.arguments(spec.arguments);
  if (spec.after !== undefined) command.addHelpText("after", `\n${spec.after}`);
  for (const option of [...spec.options, CONFIG, PRINT]) command.addOption(buildOption(option));
  return command;
}

function buildOption(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.help);
  if (spec.default !== undefined) option.default(spec.default, spec.defaultText);
  if (spec.parse !== undefined) option.argParser(spec.parse);
  if (spec.hidden === true) option.hideHelp();
  if (spec !== PRINT && spec !== CONFIG) option.env(`SKIMMER_${option.name().replace(/^no-/, "").replaceAll("-", "_").toUpperCase()}`);
  return option;
}

async function applyFile(spec: CommandSpec, command: Command): Promise<void> {
  const path = configPath(spec.name, command.opts().config as string | undefined);
  if (path === undefined) return;
  const { parse } = await import("yaml");
  const values: unknown = parse(readConfig(path)) ?? {};
  if (typeof values !== "object" || Array.isArray(values)) throw new SkimmerError("bad_request", `${path} must hold a mapping of options`);
  for (const [key, value] of Object.entries(values as object)) {
    const option = command.options.find((known) => known.name().replace(/^no-/, "") === key && known.name() !== "config");
    if (option === undefined)
      throw new SkimmerError("bad_request", `${path} has the unknown option "${key}"`, { hint: `See ${spec.name} --help.` });
    const name = option.attributeName();
    const source = command.getOptionValueSource(name);
    if (source === "cli" || source === "env") continue;
    command.setOptionValueWithSource(name, readValue(option, value), "config");
  }
}

function readValue(option: Option, value: unknown): unknown {
  const parse = option.parseArg as ((text: string, previous: unknown) => unknown) | undefined;
  if (parse === undefined) return typeof value === "number" ? String(value) : value;
  if (!Array.isArray(value)) return parse(String(value), undefined);
  return value.reduce((previous: unknown, item) => parse(String(item), previous), undefined);
}

function configPath(name: string, given: string | undefined): string | undefined {
  if (given !== undefined) return given;
  const own = join(process.env.XDG_CONFIG_HOME ?? join(homedir(), ".config"), "skimmer", `${name}.yaml`);
  return [own, `/etc/skimmer/${name}.yaml`].find((path) => existsSync(path));
}

function readConfig(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new SkimmerError("bad_request", `cannot read the configuration ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function describe(command: Command): Record<string, { value: unknown; source: string | undefined }> {
  const entries = command.options.map((option) => {
    const name = option.attributeName();
    return [option.name(), { value: command.getOptionValue(name), source: command.getOptionValueSource(name) }] as const;
  });
  return Object.fromEntries(entries.filter(([name]) => name !== "version" && name !== "print-config"));
}
