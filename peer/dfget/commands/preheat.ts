/**
 * `dfget preheat URL|IMAGE`: has the supernode's seeders fetch a file or an image, and waits until they have it. Talks to the
 * supernode itself: the host daemon has no part in it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, SkimmerError } from "../../../system/errors.ts";
import { EXIT_CODES } from "../../../system/exit-codes.ts";
import { type JsonResponse, requestJson } from "../../../system/json-http.ts";
import { type CommandSpec, type ParsedCommand, parseCommand } from "../../../system/options.ts";
import { TOKEN_OPTION, tokenHeaders } from "../../../system/supernode-token.ts";
import { formatBytes, parseDuration } from "../../../system/units.ts";
import { fieldReader } from "../../../torrents/parse-fields.ts";
import { parseApiError } from "../../../torrents/parse-link-message.ts";
import type { ApiErrorBody } from "../../../torrents/task-api.ts";
import { checkDigest, checkFilter, checkHeaderLines, checkTag, readSupernode } from "../../daemon/check-request.ts";
import { parseSupernodes } from "../../daemon/shared-options.ts";
import { DFGET_COMMAND } from "../dfget-command.ts";

const DEFAULT_SUPERNODES: readonly string[] = ["http://127.0.0.1:8002"];
const POLL_MS = 500;
const ASK_LIMIT_MS = 30_000;
/** So long a supernode that was there may be away while it is waited for. */
const AWAY_LIMIT_MS = 60_000;
const MOST_ANSWER_BYTES = 1024 * 1024;
const MOST_PASSWORD_BYTES = 8192;

export const PREHEAT_COMMAND: CommandSpec = {
  name: "dfget preheat",
  description: "Has the seeders fetch a file or a container image before anyone asks for it, and waits until they have it.",
  arguments: "<URL|IMAGE>",
  options: [
    {
      flags: "--supernode <URL,...>",
      help: "supernodes to ask, the first that answers; may be repeated",
      default: DEFAULT_SUPERNODES,
      defaultText: DEFAULT_SUPERNODES.join(","),
      parse: (text, previous) => parseSupernodes(text, previous === DEFAULT_SUPERNODES ? undefined : previous),
    },
    TOKEN_OPTION,
    {
      flags: "--platform <OS/ARCH,...>",
      help: "only these platforms of an image, such as linux/amd64; may be repeated; absent: all",
      parse: (text, previous) => [...((previous as string[] | undefined) ?? []), ...text.split(",").filter((name) => name !== "")],
    },
    { flags: "--username <NAME>", help: "name at the image's registry, or for Basic authorization of a file" },
    { flags: "--password <TEXT>", help: "its password; others on this machine see flags, so rather a variable or --password-stdin" },
    { flags: "--password-stdin", help: "read the password from standard input" },
    { flags: "--insecure", help: "the image's registry speaks http; on this machine it is tried anyway" },
    {
      flags: "--header <LINE>",
      help: "header for the origin, 'Name: value'; may be repeated",
      parse: (text, previous) => [...((previous as string[] | undefined) ?? []), text],
    },
    {
      flags: "-f, --filter <NAMES>",
      help: "query parameters that do not tell contents apart, joined by &; files only",
      parse: (text) => checkFilter(text.split("&").filter((name) => name !== "")),
    },
    { flags: "--digest <DIGEST>", help: "sha256:HEX of the content, as downloads will give it; files only", parse: checkDigest },
    { flags: "--tag <TEXT>", help: "label, as downloads will give it; files only", parse: checkTag },
    { flags: "--no-wait", help: "do not wait: print the preheat's id and exit" },
    {
      flags: "-e, --timeout <DURATION>",
      help: "most time to wait, in seconds or as 5m, 1h; the preheat goes on; 0: no bound",
      default: 0,
      parse: parseDuration,
    },
    { flags: "--json", help: "end with one JSON line on standard output" },
  ],
  configOf: DFGET_COMMAND,
  after: "URL begins with http:// or https://; anything else is the name of an image, such as alpine:3.20 or ghcr.io/owner/name:1.",
};

/** As far as it is looked at here. */
interface Job {
  readonly id: string;
  readonly state: string;
  readonly files: { readonly total: number; readonly done: number; readonly failed: number };
  readonly lengthBytes: number;
  readonly error?: ApiErrorBody["error"];
}

const read = fieldReader("protocol", "the supernode's answer");
const ANY = { least: 0, most: Number.MAX_SAFE_INTEGER };

/** Answers the exit code. Rejects with SkimmerError where the preheat could not be made, or failed. */
export async function preheatCommand(args: readonly string[]): Promise<number> {
  const command = await parseCommand(PREHEAT_COMMAND, args);
  if (command === undefined) return 0;
  const { options } = command;
  const token = options.token as string | undefined;
  const body = await readRequest(command);
  const { supernode, job } = await create(options.supernode as readonly string[], { body, token });
  if (options.wait === false) {
    process.stdout.write(options.json === true ? `${JSON.stringify({ status: "ok", ...job })}\n` : `${job.id}\n`);
    return 0;
  }
  const done = await waitFor({ supernode, token, job, limitMs: options.timeout as number });
  if (done.state !== "success") throw failureOf(done);
  const text = `preheated: ${done.files.done} file${done.files.done === 1 ? "" : "s"}, ${formatBytes(done.lengthBytes)}`;
  process.stdout.write(options.json === true ? `${JSON.stringify({ status: "ok", ...done })}\n` : `${text}\n`);
  return 0;
}

/** The body of `POST /api/v1/preheats`. */
async function readRequest({ args, options }: ParsedCommand): Promise<object> {
  const [what] = args;
  if (args.length !== 1)
    throw new SkimmerError("bad_request", `${args.length} URLs or images were given`, { hint: "dfget preheat URL|IMAGE" });
  const isUrl = /^https?:\/\//.test(what);
  const password = options.passwordStdin === true ? await readPassword() : options.password;
  return {
    ...(isUrl ? { url: what } : { image: what }),
    platforms: options.platform,
    username: options.username,
    password,
    insecure: options.insecure,
    headers: checkHeaderLines((options.header as string[] | undefined) ?? []),
    filter: options.filter,
    digest: options.digest,
    tag: options.tag,
  };
}

async function readPassword(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) {
    text += chunk;
    if (text.length > MOST_PASSWORD_BYTES) throw new SkimmerError("bad_request", "the password on standard input is too long");
  }
  return text.replace(/\r?\n$/, "");
}

/** At the first supernode that answers; what one says of the request itself is final. */
async function create(
  supernodes: readonly string[],
  request: { body: object; token: string | undefined },
): Promise<{ supernode: string; job: Job }> {
  const failures: string[] = [];
  for (const { url: supernode } of supernodes.map(readSupernode)) {
    const response = await ask({ url: `${supernode}/api/v1/preheats`, ...request }).catch((error: Error) => error);
    if (response instanceof Error) failures.push(`${supernode}: ${response.message}`);
    else if (response.status === 201) return { supernode, job: parseJob(response.body) };
    else throw apiError(response);
  }
  throw new SkimmerError("no_supernode", `no supernode answers: ${failures.join("; ")}`, {
    hint: "Start one with: supernode; or name another one with --supernode.",
  });
}

async function waitFor(input: { supernode: string; token: string | undefined; job: Job; limitMs: number }): Promise<Job> {
  const { supernode, token, limitMs } = input;
  const url = `${supernode}/api/v1/preheats/${input.job.id}`;
  const startMs = performance.now();
  let heardMs = startMs;
  for (let job = input.job; ; ) {
    if (job.state !== "waiting" && job.state !== "running") return job;
    if (limitMs > 0 && performance.now() - startMs > limitMs)
      throw new SkimmerError("timeout", `the preheat ${job.id} took longer than ${limitMs / 1000} s`, { hint: `It goes on: see ${url}.` });
    await sleep(POLL_MS);
    const response = await ask({ url, token }).catch((error: Error) => error);
    if (response instanceof Error) {
      if (performance.now() - heardMs < AWAY_LIMIT_MS) continue;
      throw new SkimmerError("no_supernode", `${supernode} went away: ${response.message}`, {
        hint: `The preheat goes on when it is back: ${url}.`,
      });
    }
    if (response.status !== 200) throw apiError(response);
    heardMs = performance.now();
    job = parseJob(response.body);
  }
}

function ask({ token, ...request }: { url: string; token: string | undefined; body?: object }): Promise<JsonResponse> {
  return requestJson({ ...request, headers: tokenHeaders(token), timeoutMs: ASK_LIMIT_MS, maxBytes: MOST_ANSWER_BYTES });
}

function parseJob(body: unknown): Job {
  const job = read.object(body, "body");
  const files = read.object(job.files, "files");
  return {
    id: read.text(job.id, "id", 80),
    state: read.text(job.state, "state", 80),
    files: {
      total: read.integer(files.total, "files.total", ANY),
      done: read.integer(files.done, "files.done", ANY),
      failed: read.integer(files.failed, "files.failed", ANY),
    },
    lengthBytes: read.integer(job.lengthBytes, "lengthBytes", ANY),
    error: job.error === undefined ? undefined : parseApiError(job.error),
  };
}

function apiError({ status, body }: JsonResponse): SkimmerError {
  const { error } = (body ?? {}) as { error?: unknown };
  return error === undefined ? new SkimmerError("protocol", `HTTP ${status} without an error of ours`) : asError(parseApiError(error));
}

function failureOf(job: Job): SkimmerError {
  if (job.error !== undefined) return asError(job.error);
  return new SkimmerError("cancelled", `the preheat ${job.id} was ${job.state}`);
}

function asError({ code, message, hint, status }: ApiErrorBody["error"]): SkimmerError {
  return new SkimmerError(code in EXIT_CODES ? (code as ErrorCode) : "protocol", message, { hint, status });
}
