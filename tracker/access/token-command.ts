/**
 * `supernode token new|ls|rm`: the tokens file, on the supernode's own host. A running supernode reads it again by itself.
 */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { SkimmerError } from "../../system/errors.ts";
import { type CommandSpec, parseCommand } from "../../system/options.ts";
import { reportError } from "../../system/report-error.ts";
import { parseDuration } from "../../system/units.ts";
import { SUPERNODE_COMMAND } from "../supernode-command.ts";
import { tokensPath } from "./open-access.ts";
import { SCOPES, type Scope } from "./scopes.ts";
import { checkName } from "./token-list.ts";
import { addToken, readTokens, removeToken } from "./token-store.ts";

const OWN: readonly string[] = ["--data", "--tokens"];
const TOKEN_COMMAND: CommandSpec = {
  name: "supernode token",
  description: "Who may call the supernode's API: make a token, list them, take one back.",
  arguments: "<new|ls|rm> [NAME]",
  options: [
    ...SUPERNODE_COMMAND.options.filter(({ flags }) => OWN.includes(flags.split(" ", 1)[0])),
    { flags: "--scope <SCOPE,...>", help: `what the new token is for: some of ${SCOPES.join(", ")}; may be repeated`, parse: parseScopes },
    { flags: "--expires <DURATION>", help: "for how long the new token is good, e.g. 12h, 20d; absent: for ever", parse: parseDuration },
    { flags: "--json", help: "print the result as one JSON line" },
  ],
  configOf: SUPERNODE_COMMAND,
  after: "The token is printed once, and stored only as its hash. Without NAME it is named after its scopes.",
};

interface TokenFlags {
  readonly data: string;
  readonly tokens?: string;
  readonly scope?: readonly Scope[];
  readonly expires?: number;
  readonly json?: boolean;
}

/** Runs `supernode token`. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    const parsed = await parseCommand(TOKEN_COMMAND, args);
    if (parsed === undefined) return;
    const flags = parsed.options as unknown as TokenFlags;
    const { facts, lines } = await run(parsed.args, flags);
    process.stdout.write(flags.json === true ? `${JSON.stringify(facts)}\n` : lines.map((line) => `${line}\n`).join(""));
  } catch (error) {
    process.exitCode = reportError(error, { command: "supernode token", json: args.includes("--json") });
  }
}

async function run(words: readonly string[], flags: TokenFlags): Promise<{ facts: object; lines: readonly string[] }> {
  const path = tokensPath(flags.data, flags.tokens);
  const [verb, name] = words;
  if (verb === "new" && words.length <= 2) return make(path, name, flags);
  if (verb === "ls" && words.length === 1) return list(path);
  if (verb === "rm" && words.length === 2) return remove(path, name);
  throw new SkimmerError("bad_request", `cannot do "${words.join(" ")}"`, { hint: "See supernode token --help." });
}

async function make(path: string, given: string | undefined, { scope: scopes, expires }: TokenFlags) {
  if (scopes === undefined)
    throw new SkimmerError("bad_request", "--scope is missing", { hint: `Give some of ${SCOPES.join(", ")}: --scope download` });
  const name = checkName(given ?? scopes.join("-"), "name");
  const until = expires === undefined || expires === 0 ? undefined : new Date(Date.now() + expires).toISOString();
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const token = await addToken(path, { name, scopes, expires: until });
  return { facts: { status: "ok", name, scopes, expires: until, token, file: path }, lines: [token] };
}

async function list(path: string) {
  const tokens = (await readTokens(path)).map(({ name, scopes, expiresMs }) => ({
    name,
    scopes,
    expires: expiresMs === undefined ? undefined : new Date(expiresMs).toISOString(),
  }));
  const lines = tokens.map(({ name, scopes, expires }) => `${name}  ${scopes.join(",")}  ${expires ?? "for ever"}`);
  return { facts: { tokens }, lines: lines.length === 0 ? [`no tokens in ${path}`] : lines };
}

async function remove(path: string, name: string) {
  if (!(await removeToken(path, name)))
    throw new SkimmerError("not_found", `there is no token "${name}" in ${path}`, { hint: "List them: supernode token ls" });
  return { facts: { status: "ok", removed: name }, lines: [`removed ${name}`] };
}

function parseScopes(text: string, previous: unknown): Scope[] {
  const asked = text.split(",").map((part) => part.trim());
  const known = asked.map((each) => SCOPES.find((scope) => scope === each));
  if (known.some((scope) => scope === undefined))
    throw new SkimmerError("bad_request", `cannot read the scopes "${text}"`, { hint: `Give some of ${SCOPES.join(", ")}.` });
  return [...new Set([...((previous as Scope[] | undefined) ?? []), ...(known as Scope[])])];
}
