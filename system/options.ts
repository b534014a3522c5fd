/**
 * Command options, each under one name everywhere: `--upload-limit`, `SKIMMER_UPLOAD_LIMIT`, `upload-limit:` in the
 * configuration file. Precedence: flag, environment, file, default. Unknown keys in the file fail.
 * Loaded by every command before anything else: no heavy imports here.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { Command, CommanderError, Option } from "commander";
import { SkimmerError } from "./errors.ts";

// imported by name, node:fs looks all of its names up and loads what is behind them: streams, watchers, readline; 6 ms of each command's start
const { existsSync, readFileSync } = process.getBuiltinModule("node:fs");

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
  /** The command in whose configuration file this one's options are too; keys that only that one knows are passed over. */
  readonly configOf?: CommandSpec;
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
  help: "YAML file with options; absent: ~/.config/skimmer/NAME.yaml, or else /etc/skimmer/NAME.yaml, where one exists",
};
const PRINT: OptionSpec = {
  flags: "--print-config",
  help: "print the effective options with their sources, as a configuration file, and exit",
};

/** The words that a parsed option was given. */
const GIVEN = new WeakMap<Option, string | readonly string[]>();

/** Parses the command line. Undefined: help, version or configuration was printed and there is nothing to do. */
export async function parseCommand(spec: CommandSpec, argv: readonly string[]): Promise<ParsedCommand | undefined> {
  const command = buildCommand(spec);
  try {
    command.parse([...argv], { from: "user" });
    applyBooleanVariables(command);
    await applyFile(spec, command);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw new SkimmerError("bad_request", error.message.replace(/^error: /, ""), { hint: `See ${spec.name} --help.` });
  }
  if (command.opts().printConfig === true) {
    process.stdout.write(describe(command));
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
  if (spec.parse !== undefined) option.argParser(recordingParser(option, spec.parse));
  if (spec.hidden === true) option.hideHelp();
  if (spec === PRINT || spec === CONFIG) return option;
  if (isBoolean(option)) option.description += ` (env: ${variableOf(option.name())})`;
  else option.env(variableOf(option.name()));
  return option;
}

/** The parser, with the option's name in front of what it complains of; what was given is kept for `--print-config`. */
function recordingParser(option: Option, parse: NonNullable<OptionSpec["parse"]>): NonNullable<OptionSpec["parse"]> {
  const name = `--${option.name()}`;
  return (text, previous) => {
    try {
      const value = parse(text, previous);
      const given = GIVEN.get(option) ?? [];
      GIVEN.set(option, Array.isArray(value) ? [...given, text] : text);
      return value;
    } catch (error) {
      if (!(error instanceof SkimmerError)) throw error;
      const message = error.message.includes(name) ? error.message : `${name}: ${error.message}`;
      throw new SkimmerError(error.code, message, { hint: error.hint, cause: error });
    }
  };
}

function variableOf(name: string): string {
  return `SKIMMER_${name.replaceAll("-", "_").toUpperCase()}`;
}

function isBoolean(option: Option): boolean {
  return !option.required && !option.optional;
}

/** The names of an option in files and variables: `--no-seeder` is `no-seeder: true` and `seeder: false` alike. */
function namesOf(option: Option): readonly { readonly name: string; readonly negated: boolean }[] {
  const name = option.name();
  return option.negate
    ? [
        { name, negated: true },
        { name: name.slice("no-".length), negated: false },
      ]
    : [{ name, negated: false }];
}

/** Commander takes any value of a boolean's variable for "given"; `SKIMMER_SEEDER=true` must not mean `--no-seeder`. */
function applyBooleanVariables(command: Command): void {
  for (const option of command.options.filter(isConfigurable).filter(isBoolean)) {
    for (const { name, negated } of namesOf(option)) {
      const text = process.env[variableOf(name)];
      if (text === undefined || command.getOptionValueSource(option.attributeName()) === "cli") continue;
      command.setOptionValueWithSource(option.attributeName(), readBoolean(text, variableOf(name)) !== negated, "env");
    }
  }
}

async function applyFile(spec: CommandSpec, command: Command): Promise<void> {
  const path = configPath(spec.configOf?.name ?? spec.name, command.opts().config as string | undefined);
  if (path === undefined) return;
  const values = await readMapping(path);
  const known = command.options.filter(isConfigurable).flatMap((option) => namesOf(option).map((names) => ({ option, ...names })));
  for (const [key, value] of Object.entries(values)) {
    const found = known.find(({ name }) => name === key);
    if (found === undefined && spec.configOf !== undefined && isKnown(spec.configOf, key)) continue;
    if (found === undefined)
      throw new SkimmerError("bad_request", `${path} has the unknown option "${key}"`, { hint: `See ${spec.name} --help.` });
    const name = found.option.attributeName();
    const source = command.getOptionValueSource(name);
    if (source === "cli" || source === "env") continue;
    const where = `${path}: ${key}`;
    const read = isBoolean(found.option) ? readBoolean(value, where) !== found.negated : readValue(found.option, value, where);
    command.setOptionValueWithSource(name, read, "config");
  }
}

function isKnown(spec: CommandSpec, key: string): boolean {
  return buildCommand(spec)
    .options.filter(isConfigurable)
    .some((option) => namesOf(option).some(({ name }) => name === key));
}

/** What is set by `--config`, `--version` and `--print-config` themselves is not an option of the file. */
function isConfigurable(option: Option): boolean {
  return !["config", "version", "print-config"].includes(option.name());
}

function readBoolean(value: unknown, where: string): boolean {
  const text = String(value).toLowerCase();
  if (["true", "1", "yes", "on"].includes(text)) return true;
  if (["false", "0", "no", "off"].includes(text)) return false;
  throw new SkimmerError("bad_request", `${where} is "${text}", which is neither true nor false`);
}

function readValue(option: Option, value: unknown, where: string): unknown {
  const parse = option.parseArg as ((text: string, previous: unknown) => unknown) | undefined;
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  if ((Array.isArray(value) && parse === undefined) || items.some((item) => item === null || typeof item === "object")) {
    throw new SkimmerError("bad_request", `${where} must be ${parse === undefined ? "one value" : "one value or a list of values"}`);
  }
  if (parse === undefined) return String(value);
  return items.reduce((previous: unknown, item) => parse(String(item), previous), undefined);
}

async function readMapping(path: string): Promise<object> {
  // loaded only where there is a file: it costs start-up time
  const { parse } = await import("yaml");
  try {
    const values: unknown = parse(readFileSync(path, "utf8")) ?? {};
    if (typeof values === "object" && !Array.isArray(values)) return values as object;
  } catch (error) {
    throw new SkimmerError("bad_request", `cannot read the configuration ${path}: ${(error as Error).message.trim()}`, { cause: error });
  }
  throw new SkimmerError("bad_request", `${path} must hold a mapping of options`, {
    hint: "One option a line, such as upload-limit: 20MB.",
  });
}

function configPath(name: string, given: string | undefined): string | undefined {
  if (given !== undefined) return given;
  const own = join(process.env.XDG_CONFIG_HOME ?? join(homedir(), ".config"), "skimmer", `${name}.yaml`);
  return [own, `/etc/skimmer/${name}.yaml`].find((path) => existsSync(path));
}

/** The options as a configuration file: what was set as lines, what was not as comments. */
function describe(command: Command): string {
  const lines = command.options.filter(isConfigurable).map((option) => {
    const source = command.getOptionValueSource(option.attributeName());
    const value: unknown = command.getOptionValue(option.attributeName());
    const name = namesOf(option).at(-1)?.name;
    if (value === undefined) return `# ${name}: (not set)`;
    if (source === "default") return `# ${name}: ${option.defaultValueDescription ?? JSON.stringify(value)} (default)`;
    // JSON is YAML; the words as they were given, since parsed values have other units
    return `${name}: ${JSON.stringify(GIVEN.get(option) ?? value)} # ${source}`;
  });
  return `${lines.join("\n")}\n`;
}
