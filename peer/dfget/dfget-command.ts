/**
 * The options of `dfget` and their reading: whatever is wrong is refused here, before anything starts. Decides, apart
 * from looking at the environment (current folder, umask).
 */
import { resolve } from "node:path";
import { SkimmerError } from "../../system/errors.ts";
import type { CommandSpec, ParsedCommand } from "../../system/options.ts";
import { parseDuration, parseRate } from "../../system/units.ts";
import { checkUrl } from "../../torrents/parse-task-request.ts";
import { checkDigest, checkFilter, checkHeaderLines, checkMd5, checkRange, checkTag } from "../daemon/check-request.ts";
import type { HomePaths } from "../daemon/home-paths.ts";
import { readPaths, SHARED_OPTIONS } from "../daemon/shared-options.ts";
import { outputName } from "./output-name.ts";

export const DFGET_COMMAND: CommandSpec = {
  name: "dfget",
  description: "Downloads a file through the swarm of all hosts that want it; from its origin where there is no swarm.",
  arguments: "[URL]",
  options: [
    { flags: "-o, --output <FILE>", help: "file to write; absent: the URL's last part, in the current folder" },
    { flags: "-u, --url <URL>", help: "the URL, where it is not given as an argument" },
    ...SHARED_OPTIONS,
    { flags: "--header <LINE>", help: "header for the origin, 'Name: value'; may be repeated", parse: collect },
    { flags: "--digest <DIGEST>", help: "sha256:HEX that the whole content must have", parse: checkDigest },
    { flags: "--md5 <HEX>", help: "MD5 that the whole content must have", parse: checkMd5 },
    {
      flags: "--range <FIRST-LAST>",
      help: "only these bytes of the URL's content, both inclusive",
      parse: (text) => (checkRange(text), text),
    },
    { flags: "--tag <TEXT>", help: "label that keeps otherwise equal downloads apart", parse: checkTag },
    {
      flags: "-f, --filter <NAMES>",
      help: "query parameters that do not tell contents apart, joined by &",
      parse: (text) => checkFilter(text.split("&").filter((name) => name !== "")),
    },
    { flags: "--limit <RATE>", help: "bytes per second of this download, e.g. 20MB, 160Mbit; 0: unlimited", default: 0, parse: parseRate },
    { flags: "--notbs", help: "never read the origin from this host (no back to source)" },
    {
      flags: "-e, --timeout <DURATION>",
      help: "most time for the whole command, in seconds or as 5m, 1h; 0: no bound",
      default: 0,
      parse: parseDuration,
    },
    { flags: "--json", help: "end with one JSON line on standard output, and no progress" },
    { flags: "--no-progress", help: "no progress bar" },
  ],
  after: "dfget daemon --help describes the host daemon, which dfget starts where none runs.",
};

export interface DfgetSettings {
  readonly paths: HomePaths;
  /** True where the socket is not the one that follows from home. */
  readonly socketGiven: boolean;
  readonly supernodes: readonly string[] | undefined;
  readonly timeoutMs: number;
  readonly json: boolean;
  readonly progress: boolean;
  readonly output: string;
  /** Body of `POST /v1/downloads`. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** Throws SkimmerError `bad_request` or `unsupported_scheme`. */
export function readDfgetSettings(command: ParsedCommand, place: { folder: string; umask: number }): DfgetSettings {
  const { options } = command;
  const url = checkUrl(readUrl(command));
  const output = resolve(place.folder, (options.output as string | undefined) ?? outputName(url));
  const supernodes = options.supernode as string[] | undefined;
  return {
    paths: readPaths(options),
    socketGiven: options.socket !== undefined,
    supernodes,
    timeoutMs: options.timeout as number,
    json: options.json === true,
    progress: options.progress !== false && options.json !== true,
    output,
    body: {
      url,
      output,
      mode: 0o666 & ~place.umask,
      headers: checkHeaderLines((options.header as string[] | undefined) ?? []),
      digest: options.digest,
      md5: options.md5,
      range: options.range,
      tag: options.tag,
      filter: options.filter,
      limit: options.limit,
      notbs: options.notbs === true,
      supernodes,
    },
  };
}

function readUrl({ args, options }: ParsedCommand): string {
  const urls = [...args, ...(typeof options.url === "string" ? [options.url] : [])];
  if (urls.length === 1) return urls[0];
  if (urls.length === 0) throw new SkimmerError("bad_request", "no URL was given", { hint: "dfget URL -o FILE; see dfget --help." });
  throw new SkimmerError("bad_request", `${urls.length} URLs were given`, { hint: "One dfget downloads one URL." });
}

function collect(text: string, previous: unknown): string[] {
  return [...((previous as string[] | undefined) ?? []), text];
}
