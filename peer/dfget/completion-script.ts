/**
 * Completion scripts for bash, zsh and fish, from a table of commands. Decides.
 */
export const SHELLS = ["bash", "zsh", "fish"] as const;

export interface CompletedOption {
  readonly short?: string;
  readonly long: string;
  readonly description: string;
  readonly takesValue: boolean;
}

export interface CompletedCommand {
  /** Empty: the command without a subcommand. */
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletedOption[];
  /** Words that may follow. */
  readonly words: readonly string[];
}

/** Values of options that have few. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  "--pattern": ["p2p", "cdn", "source"],
  "--priority": ["high", "normal", "low"],
  "--log-level": ["trace", "debug", "info", "warn", "error", "silent"],
};

/** The whole script. */
export function completionScript(shell: (typeof SHELLS)[number], commands: readonly CompletedCommand[]): string {
  if (shell === "bash") return bashScript(commands);
  return shell === "zsh" ? zshScript(commands) : fishScript(commands);
}

function namesOf(commands: readonly CompletedCommand[]): string[] {
  return commands.map(({ name }) => name).filter((name) => name !== "");
}

function flagsOf({ options }: CompletedCommand): string[] {
  return options.flatMap(({ short, long }) => (short === undefined ? [long] : [short, long]));
}

function bashScript(commands: readonly CompletedCommand[]): string {
  const cases = commands
    .filter(({ name }) => name !== "")
    .map((command) => `    ${command.name}) words="${[...flagsOf(command), ...command.words].join(" ")}" ;;`);
  const main = commands.find(({ name }) => name === "");
  const values = Object.entries(VALUES).map(
    ([flag, words]) => `    ${flag}) COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$cur")); return ;;`,
  );
  return [
    "# dfget completion for bash",
    "_dfget() {",
    `  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" words`,
    "  COMPREPLY=()",
    '  case "$prev" in',
    ...values,
    "  esac",
    `  case "\${COMP_WORDS[1]}" in`,
    ...cases,
    `    *) words="${main === undefined ? "" : flagsOf(main).join(" ")}" ;;`,
    "  esac",
    `  if [ "$COMP_CWORD" -eq 1 ]; then words="$words ${namesOf(commands).join(" ")}"; fi`,
    '  COMPREPLY=($(compgen -W "$words" -- "$cur"))',
    "}",
    "complete -o default -F _dfget dfget",
    "",
  ].join("\n");
}

function zshScript(commands: readonly CompletedCommand[]): string {
  const quote = (text: string): string => text.replace(/'/g, "'\\''").replace(/([[\]:])/g, "\\$1");
  const spec = ({ short, long, description, takesValue }: CompletedOption): string[] => {
    const values = VALUES[long];
    const value = takesValue ? `:${long.slice(2)}:${values === undefined ? "_files" : `(${values.join(" ")})`}` : "";
    return [short, long].filter((flag) => flag !== undefined).map((flag) => `'*${flag}[${quote(description)}]${value}'`);
  };
  const cases = commands.map(({ name, options, words }) => {
    const rest = words.length === 0 ? "'*:file:_files'" : `'*:word:(${words.join(" ")})'`;
    return `    ${name === "" ? "*" : name}) _arguments ${[...options.flatMap(spec), rest].join(" ")} ;;`;
  });
  // the pattern that fits everything comes last
  const ordered = [...cases.filter((line) => !line.startsWith("    *)")), ...cases.filter((line) => line.startsWith("    *)"))];
  const names = commands.filter(({ name }) => name !== "").map(({ name, description }) => `'${name}:${quote(description)}'`);
  return [
    "#compdef dfget",
    "_dfget() {",
    "  local -a commands",
    `  commands=(${names.join(" ")})`,
    '  if (( CURRENT == 2 )) && [[ "$words[2]" != -* ]]; then _describe command commands; fi',
    '  case "$words[2]" in',
    ...ordered,
    "  esac",
    "}",
    'if [ "$funcstack[1]" = "_dfget" ]; then _dfget "$@"; else compdef _dfget dfget; fi',
    "",
  ].join("\n");
}

function fishScript(commands: readonly CompletedCommand[]): string {
  const quote = (text: string): string => `'${text.replace(/\\/g, "\\\\").replace(/'/g, "\\'")}'`;
  const names = namesOf(commands).join(" ");
  const lines = commands.flatMap(({ name, description, options, words }) => {
    const when = name === "" ? `not __fish_seen_subcommand_from ${names}` : `__fish_seen_subcommand_from ${name}`;
    const own = name === "" ? [] : [`complete -c dfget -n __fish_use_subcommand -a ${name} -d ${quote(description)}`];
    const flags = options.map(({ short, long, description: text, takesValue }) => {
      const values = VALUES[long] === undefined ? "" : ` -xa ${quote(VALUES[long].join(" "))}`;
      const letter = short === undefined ? "" : ` -s ${short.slice(1)}`;
      return `complete -c dfget -n ${quote(when)}${letter} -l ${long.slice(2)}${takesValue ? " -r" : ""}${values} -d ${quote(text)}`;
    });
    const following = words.length === 0 ? [] : [`complete -c dfget -n ${quote(when)} -xa ${quote(words.join(" "))}`];
    return [...own, ...flags, ...following];
  });
  return `# dfget completion for fish\n${lines.join("\n")}\n`;
}
