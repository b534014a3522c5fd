/**
 * What a `dfget` command line asks for: the downloads, and how to show them. Whatever is wrong is refused here, before
 * anything starts. Decides; the surroundings (current folder, umask, URLs of -i) are arguments.
 */
import { resolve } from "node:path";
import { SkimmerError } from "../../system/errors.ts";
import type { ParsedCommand } from "../../system/options.ts";
import { checkUrl } from "../../torrents/parse-task-request.ts";
import { checkHeaderLines, checkMd5, checkTag } from "../daemon/check-request.ts";
import { readPaths } from "../daemon/shared-options.ts";
import type { DaemonPlace } from "./daemon-place.ts";
import { WITHOUT_EFFECT } from "./dfget-command.ts";
import { outputName } from "./output-name.ts";

/** One file to download. */
export interface Job {
  readonly url: string;
  /** Absolute path; undefined: standard output. */
  readonly output: string | undefined;
  /** True: neither; the content only goes into the store. */
  readonly storeOnly?: boolean;
  /** Body of `POST /v1/downloads`. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface DfgetSettings {
  readonly place: DaemonPlace;
  readonly jobs: readonly Job[];
  /** Folder for the outputs, to be made where it is not there; undefined: each output's own must be there. */
  readonly folder: string | undefined;
  /** For outputs without a folder of their own. */
  readonly currentFolder: string;
  readonly maxConcurrent: number;
  readonly timeoutMs: number;
  /** Bytes per second to set for the whole host first; undefined: leave them. */
  readonly totalLimit: number | undefined;
  readonly recursive: { readonly level: number; readonly include: readonly string[] } | undefined;
  readonly clobber: boolean;
  /** Use an output that is there already: keep it with the wanted digest, else take what can be checked of it. */
  readonly continues: boolean;
  readonly json: boolean;
  readonly progress: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Lines for standard error before anything else. */
  readonly notes: readonly string[];
}

export interface Surroundings {
  readonly folder: string;
  readonly umask: number;
  /** What the file of -i lists. */
  readonly listedUrls?: readonly string[];
}

type Options = ParsedCommand["options"];

/** Throws SkimmerError `bad_request` or `unsupported_scheme`. */
export function readDfgetSettings(command: ParsedCommand, around: Surroundings): DfgetSettings {
  const { options } = command;
  const given = [...command.args, ...((options.url as string[] | undefined) ?? []), ...(around.listedUrls ?? [])].map(checkUrl);
  if (given.length === 0 && options.inputFile === undefined)
    throw new SkimmerError("bad_request", "no URL was given", { hint: "dfget URL -o FILE; see dfget --help." });
  const urls = [...new Set(given)];
  const quiet = options.quiet === true;
  const common = commonBody(options, around);
  return {
    place: readPlace(options, around.folder),
    jobs: outputsOf(urls, options, around.folder).map(({ url, output }) => ({ url, output, body: { ...common, url, output } })),
    folder: options.directoryPrefix === undefined ? undefined : resolve(around.folder, options.directoryPrefix as string),
    currentFolder: around.folder,
    maxConcurrent: options.maxConcurrent as number,
    timeoutMs: options.timeout as number,
    totalLimit: options.totallimit as number | undefined,
    recursive:
      options.recursive === true
        ? { level: options.level as number, include: (options.includeFiles as string[] | undefined) ?? [] }
        : undefined,
    clobber: options.clobber !== false,
    continues: options.continue === true,
    json: options.json === true,
    progress: options.progress !== false && options.json !== true && !quiet,
    quiet,
    verbose: options.verbose === true && !quiet,
    notes: quiet ? [] : notesOn(command),
  };
}

function readPlace(options: Options, folder: string): DaemonPlace {
  const supernodes = [...((options.node as string[] | undefined) ?? []), ...((options.supernode as string[] | undefined) ?? [])];
  const { ip, port, cacerts, expiretime, alivetime } = options as Record<string, number | string | undefined>;
  const host = ip === undefined ? "0.0.0.0" : String(ip).includes(":") ? `[${ip}]` : String(ip);
  return {
    paths: readPaths(options),
    socketGiven: options.socket !== undefined,
    supernodes: supernodes.length === 0 ? undefined : supernodes,
    token: options.token as string | undefined,
    daemonArguments: [
      ...(ip === undefined && port === undefined ? [] : ["--peer-listen", `${host}:${port ?? DEFAULT_PEER_PORT}`]),
      ...(cacerts === undefined ? [] : ["--origin-ca", resolve(folder, String(cacerts))]),
      ...(options.insecure === true ? ["--origin-insecure"] : []),
      ...(expiretime === undefined ? [] : ["--expire", `${expiretime}ms`]),
      ...(alivetime === undefined ? [] : ["--idle-exit", `${alivetime}ms`]),
    ],
  };
}

const DEFAULT_PEER_PORT = 65002;

function commonBody(options: Options, { umask }: Surroundings): Record<string, unknown> {
  const digest = options.digest as string | undefined;
  const md5Digest = digest?.startsWith("md5:") ? checkMd5(digest.slice("md5:".length)) : undefined;
  const pattern = options.pattern as string;
  if (pattern !== "p2p" && pattern !== "cdn" && options.notbs === true)
    throw new SkimmerError("bad_request", "--pattern source and --notbs forbid each other", { hint: "Leave one of them out." });
  const { node, supernode } = options as Record<string, string[] | undefined>;
  return {
    mode: 0o666 & ~umask,
    headers: checkHeaderLines((options.header as string[] | undefined) ?? []),
    digest: md5Digest === undefined ? digest : undefined,
    md5: options.md5 ?? md5Digest,
    range: options.range,
    tag: readLabel(options),
    filter: options.filter,
    limit: options.locallimit ?? options.limit,
    notbs: options.notbs === true,
    pattern,
    priority: options.priority,
    pieceLength: options.pieceLength,
    supernodes: node === undefined && supernode === undefined ? undefined : [...(node ?? []), ...(supernode ?? [])],
    token: options.token,
  };
}

/** The labels of v1, v2 and ours are one label; a tag alone stays as it is, so that all callers of it share a swarm. */
function readLabel({ tag, application, identifier }: Options): string | undefined {
  if (application === undefined && identifier === undefined) return tag as string | undefined;
  return checkTag(JSON.stringify([tag ?? "", application ?? "", identifier ?? ""]));
}

function outputsOf(urls: readonly string[], options: Options, folder: string): { url: string; output: string | undefined }[] {
  const output = (options.output ?? options.outputDocument) as string | undefined;
  if (options.output !== undefined && options.outputDocument !== undefined)
    throw new SkimmerError("bad_request", "-o and -O are the same option and were both given");
  if (output === "-") return urls.map((url) => ({ url, output: undefined }));
  if (output !== undefined && (urls.length > 1 || options.inputFile !== undefined || options.recursive === true)) {
    throw new SkimmerError("bad_request", "one output file was given for several downloads", {
      hint: "Use --directory-prefix DIR, which names each file by its URL.",
    });
  }
  const base = resolve(folder, (options.directoryPrefix as string | undefined) ?? ".");
  if (output !== undefined) return urls.map((url) => ({ url, output: resolve(base, output) }));
  const taken = new Map<string, number>();
  return urls.map((url) => {
    const name = outputName(url);
    const count = taken.get(name) ?? 0;
    taken.set(name, count + 1);
    // as wget does for a second file of the same name
    return { url, output: resolve(base, count === 0 ? name : `${name}.${count}`) };
  });
}

function notesOn(command: ParsedCommand): string[] {
  return Object.entries(WITHOUT_EFFECT)
    .filter(([name]) => command.options[name] !== undefined)
    .map(([name, why]) => `--${name} is accepted for old scripts and has no effect: ${why}`);
}
