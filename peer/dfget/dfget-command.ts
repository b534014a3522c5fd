/**
 * The options of `dfget`: wget's, those of Dragonfly v1 and v2, and ours, as one table. Decides. Their reading is in
 * dfget-settings.ts; docs/dfget.md says the same for people, and a test compares the two.
 */
import { SkimmerError } from "../../system/errors.ts";
import type { CommandSpec, OptionSpec } from "../../system/options.ts";
import { parseBytes, parseDuration, parseRate } from "../../system/units.ts";
import {
  checkDigest,
  checkFilter,
  checkMd5,
  checkPattern,
  checkPieceLength,
  checkPriority,
  checkRange,
  checkTag,
} from "../daemon/check-request.ts";
import { parseSupernodes, SHARED_OPTIONS } from "../daemon/shared-options.ts";

const MOST_AT_ONCE = 64;
const DEFAULT_AT_ONCE = 4;

const WHAT: readonly OptionSpec[] = [
  { flags: "-o, --output <FILE>", help: "file to write; - is standard output, in order; absent: the URL's last part" },
  { flags: "-O, --output-document <FILE>", help: "the same as --output (wget's and v2's letter)" },
  { flags: "-P, --directory-prefix <DIR>", help: "folder for outputs whose name follows from the URL; absent: the current one" },
  { flags: "-u, --url <URL>", help: "a URL, as if it were an argument; may be repeated", parse: collect },
  { flags: "-i, --input-file <FILE>", help: "file with one URL a line, # begins a comment; - is standard input" },
  { flags: "-r, --recursive", help: "the URL is a folder: download what its listing names, at the same host and below it" },
  { flags: "-l, --level <NUMBER>", help: "with -r, how many folders deep", default: 5, parse: (text) => wholeNumber(text, 1, 100) },
  {
    flags: "--include-files <PATTERNS>",
    help: "with -r, only paths that match one of these, separated by commas; * and ? as in a shell",
    parse: (text) => text.split(",").filter((part) => part !== ""),
  },
  { flags: "-c, --continue", help: "use what a partial output has, where it can be checked; keep one that has the wanted digest" },
  { flags: "--no-clobber", help: "leave an output that is there already alone" },
  { flags: "--overwrite", help: "replace an output that is there already; so it is without this option too" },
  {
    flags: "--range <FIRST-LAST>",
    help: "only these bytes of the URL's content, both inclusive",
    parse: (text) => (checkRange(text), text),
  },
];

const IDENTITY: readonly OptionSpec[] = [
  { flags: "--header <LINE>", help: "header for the origin, 'Name: value'; may be repeated", parse: collect },
  { flags: "--digest <DIGEST>", help: "sha256:HEX or md5:HEX that the whole content must have", parse: parseDigest },
  { flags: "--md5 <HEX>", help: "MD5 that the whole content must have", parse: checkMd5 },
  {
    flags: "-f, --filter <NAMES>",
    help: "query parameters that do not tell contents apart, joined by &",
    parse: (text) => checkFilter(text.split("&").filter((name) => name !== "")),
  },
  { flags: "--tag <TEXT>", help: "label that keeps otherwise equal downloads apart", parse: checkTag },
  { flags: "--application <TEXT>", help: "a second such label (v2)", parse: checkTag },
  { flags: "--identifier <TEXT>", help: "a third such label (v1, there with the letter -i)", parse: checkTag },
  {
    flags: "--piece-length <BYTES>",
    help: "power of two, 64KiB to 16MiB; absent: by the length",
    parse: (text) => checkPieceLength(parseBytes(text)),
  },
];

const HOW: readonly OptionSpec[] = [
  {
    flags: "-n, --node <HOST:PORT=WEIGHT,...>",
    help: "the same as --supernode (v1); port and weight may be left out",
    parse: parseSupernodes,
  },
  {
    flags: "-p, --pattern <PATTERN>",
    help: "p2p: from all; cdn: from seeders only; source: from the origin",
    default: "p2p",
    parse: checkPattern,
  },
  { flags: "--notbs", help: "never read the origin from this host (no back to source)" },
  {
    flags: "--priority <LEVEL>",
    help: "0 (most urgent) to 6, or high, normal, low",
    default: 3,
    defaultText: "normal",
    parse: checkPriority,
  },
  { flags: "--limit <RATE>", help: "bytes per second of each download, e.g. 20MB, 160Mbit; 0: unlimited", default: 0, parse: parseRate },
  { flags: "-s, --locallimit <RATE>", help: "the same as --limit (v1)", parse: parseRate },
  { flags: "--totallimit <RATE>", help: "bytes per second of all downloads of this host, from now on; see dfget limit", parse: parseRate },
  {
    flags: "-e, --timeout <DURATION>",
    help: "most time for the whole command, in seconds or as 5m, 1h; 0: no bound",
    default: 0,
    parse: parseDuration,
  },
  {
    flags: "--max-concurrent <NUMBER>",
    help: "most downloads at the same time, where there are several",
    default: DEFAULT_AT_ONCE,
    parse: (text) => wholeNumber(text, 1, MOST_AT_ONCE),
  },
];

/** For the daemon that this command may have to start. */
const FOR_THE_DAEMON: readonly OptionSpec[] = [
  { flags: "--cacerts <FILE>", help: "--origin-ca of a daemon that this command starts (v1): authorities to trust for https origins" },
  { flags: "--insecure", help: "--origin-insecure of a daemon that this command starts (v1)" },
  { flags: "--ip <ADDRESS>", help: "peer address of a daemon that this command starts (v1)" },
  { flags: "--port <PORT>", help: "peer port of a daemon that this command starts (v1)", parse: (text) => wholeNumber(text, 0, 65535) },
  { flags: "--expiretime <DURATION>", help: "--expire of a daemon that this command starts (v1)", parse: parseDuration },
  { flags: "--alivetime <DURATION>", help: "--idle-exit of a daemon that this command starts (v1)", parse: parseDuration },
];

const WORDS: readonly OptionSpec[] = [
  { flags: "-q, --quiet", help: "print errors only" },
  { flags: "-v, --verbose", help: "say how the content is reached, and other details" },
  { flags: "--json", help: "one JSON object a line for each event, on standard output; no progress bar" },
  { flags: "--no-progress", help: "no progress bar, no progress lines" },
  { flags: "-b, --showbar", help: "a progress bar, as on every terminal anyway (v1)" },
];

/** Accepted so that v1 command lines go on working; each says on standard error that it has no effect. */
export const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  minrate: "a swarm without progress is left for the origin by itself",
  callsystem: "nothing is told apart by caller",
  dfdaemon: "nothing is told apart by caller",
  clientqueue: "the engine sizes its queues itself",
  console: "messages always go to standard error",
  showbar: "a terminal always has a bar",
};
const DEPRECATED: readonly OptionSpec[] = [
  { flags: "--minrate <RATE>", help: "without effect (v1)" },
  { flags: "--callsystem <NAME>", help: "without effect (v1)" },
  { flags: "--dfdaemon", help: "without effect (v1)" },
  { flags: "--clientqueue <NUMBER>", help: "without effect (v1)" },
  { flags: "--console", help: "without effect (v1)" },
];

export const DFGET_COMMAND: CommandSpec = {
  name: "dfget",
  description: "Downloads files through the swarm of all hosts that want them; from their origin where there is no swarm.",
  arguments: "[URL...]",
  options: [...WHAT, ...IDENTITY, ...SHARED_OPTIONS, ...HOW, ...FOR_THE_DAEMON, ...WORDS, ...DEPRECATED],
  after: [
    "Other commands, each with --help:",
    "  dfget ls | rm | info | import | export     what this host has stored",
    "  dfget seed | add                           share a file; download a .torrent or magnet link",
    "  dfget limit | doctor                       rates of this host; what is wrong with it",
    "  dfget preheat | daemon | completion        warm up the cluster; the host daemon; shell completion",
  ].join("\n"),
};

function collect(text: string, previous: unknown): string[] {
  return [...((previous as string[] | undefined) ?? []), text];
}

/** v2 writes MD5 sums as digests too. */
function parseDigest(text: string): string {
  return /^md5:/i.test(text) ? `md5:${checkMd5(text.slice("md5:".length))}` : checkDigest(text);
}

/** A decimal number within the bounds. */
export function wholeNumber(text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d{1,15}$/.test(text) && value >= least && value <= most) return value;
  throw new SkimmerError("bad_request", `"${text}" is not a whole number from ${least} to ${most}`);
}
