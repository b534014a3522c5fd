/**
 * `supernode cache ls|rm|pin|unpin`: what the seeders store, through the supernode's API.
 */
import { SkimmerError } from "../system/errors.ts";
import { type JsonResponse, requestJson } from "../system/json-http.ts";
import { type CommandSpec, parseCommand } from "../system/options.ts";
import { reportError } from "../system/report-error.ts";
import { TOKEN_OPTION, tokenHeaders } from "../system/supernode-token.ts";
import { formatBytes } from "../system/units.ts";
import { parseApiError } from "../torrents/parse-link-message.ts";
import type { CacheListing } from "../torrents/task-api.ts";

const CACHE_COMMAND: CommandSpec = {
  name: "supernode cache",
  description: "What the seeders store: list it, remove it, keep it.",
  arguments: "<ls|rm|pin|unpin> [TASK...]",
  options: [
    { flags: "--supernode <URL>", help: "supernode to ask: one full URL", default: "http://127.0.0.1:8002" },
    TOKEN_OPTION,
    { flags: "--json", help: "print the result as one JSON line" },
  ],
  after: "TASK is a task's id or the beginning of it, one of its info hashes, or its URL. A pinned task is kept whatever room is needed.",
};

const LEAST_PREFIX = 6;
const SHOWN_ID = 12;

type Listed = CacheListing["tasks"][number];
interface Target {
  readonly supernode: string;
  readonly token?: string;
}
interface Action {
  readonly method: string;
  readonly suffix: string;
  readonly done: string;
}

const ACTIONS: Readonly<Record<string, Action>> = {
  rm: { method: "DELETE", suffix: "", done: "removed" },
  pin: { method: "PUT", suffix: "/pin", done: "pinned" },
  unpin: { method: "DELETE", suffix: "/pin", done: "unpinned" },
};

/** Runs `supernode cache`. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    const parsed = await parseCommand(CACHE_COMMAND, args);
    if (parsed === undefined) return;
    const { json = false, ...target } = parsed.options as unknown as Target & { json?: boolean };
    const [verb, ...wanted] = parsed.args;
    const print = (facts: object, lines: readonly string[]): void =>
      void process.stdout.write(json ? `${JSON.stringify(facts)}\n` : lines.map((line) => `${line}\n`).join(""));
    if (verb === "ls" && wanted.length === 0) {
      const listing = await list(target);
      return print(listing, describe(listing));
    }
    const action = Object.hasOwn(ACTIONS, verb) ? ACTIONS[verb] : undefined;
    if (action === undefined || wanted.length === 0)
      throw new SkimmerError("bad_request", `cannot do "${[verb, ...wanted].join(" ")}"`, { hint: "See supernode cache --help." });
    const ids = await act(target, action, wanted);
    print(
      { status: "ok", tasks: ids },
      ids.map((id) => `${action.done} ${id}`),
    );
  } catch (error) {
    process.exitCode = reportError(error, { command: "supernode cache", json: args.includes("--json") });
  }
}

/** All are looked up before the first is touched. */
async function act(target: Target, action: Action, wanted: readonly string[]): Promise<string[]> {
  const { tasks } = await list(target);
  const ids = wanted.map((text) => lookUp(text, tasks));
  for (const id of ids) await ask(target, `/api/v1/tasks/${encodeURIComponent(id)}${action.suffix}`, action.method);
  return ids;
}

/** The one task that is meant; what is in no list is left to the supernode to refuse. */
function lookUp(text: string, tasks: readonly Listed[]): string {
  const prefix = text.toLowerCase();
  const isPrefix = prefix.length >= LEAST_PREFIX && /^[0-9a-f]+$/.test(prefix);
  const found = tasks.filter(({ id, url }) => url === text || (isPrefix && id.startsWith(prefix)));
  if (found.length > 1)
    throw new SkimmerError("bad_request", `"${text}" fits ${found.length} tasks`, {
      hint: `Give more of the id: ${found.map(({ id }) => id).join(", ")}`,
    });
  return found.length === 1 ? found[0].id : text;
}

async function list(target: Target): Promise<CacheListing> {
  return (await ask(target, "/api/v1/cache", "GET")).body as CacheListing;
}

async function ask({ supernode, token }: Target, path: string, method: string): Promise<JsonResponse> {
  if (!URL.canParse(path, supernode) || !/^https?:/.test(supernode))
    throw new SkimmerError("bad_request", `cannot read the supernode "${supernode}"`, {
      hint: "Give a full URL such as http://10.0.0.5:8002.",
    });
  const answer = await requestJson({ url: new URL(path, supernode).href, method, headers: tokenHeaders(token) }).catch((cause: Error) => {
    throw new SkimmerError("no_supernode", `the supernode ${supernode} does not answer: ${cause.message}`, {
      hint: "Name it with --supernode.",
      cause,
    });
  });
  if (answer.status < 300) return answer;
  const { code, message, hint, status } = parseApiError((answer.body as { error?: unknown } | undefined)?.error);
  throw new SkimmerError(code as SkimmerError["code"], message, { hint, status });
}

function describe(listing: CacheListing): string[] {
  const rows = listing.tasks.map(({ id, bytes, state, pinned, active, lastUsedAt, url }) => [
    id.slice(0, SHOWN_ID),
    formatBytes(bytes),
    [state, ...(pinned ? ["pinned"] : []), ...(active ? ["active"] : [])].join(","),
    lastUsedAt,
    url,
  ]);
  const hidden = listing.private.tasks === 0 ? [] : [`${listing.private.tasks} private tasks, ${formatBytes(listing.private.bytes)}`];
  const seeders = listing.seeders.map(({ host, port, usedBytes, quotaBytes, availableBytes }) => {
    const room = `${formatBytes(usedBytes)} of ${formatBytes(quotaBytes)} used, ${formatBytes(availableBytes)} free on its disk`;
    return `seeder ${host}:${port}: ${room}`;
  });
  return [...table([["TASK", "STORED", "STATE", "LAST USED", "URL"], ...rows]), ...hidden, ...seeders];
}

/** Columns of equal width, but for the last one. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]))).join("  "));
}
