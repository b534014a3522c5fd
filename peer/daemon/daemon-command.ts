/**
 * The options of `dfdaemon` (and `dfget daemon`), and their reading. Decides, apart from looking at the environment.
 */
import { existsSync, readFileSync } from "node:fs";
import type { OriginOptions } from "../../origin/open-origin.ts";
import { ORIGIN_OPTIONS, readOriginOptions } from "../../origin/origin-options.ts";
import { type HostPort, parseHostPort } from "../../system/addresses.ts";
import { type CacheSize, parseCacheSize } from "../../system/cache-size.ts";
import { SkimmerError } from "../../system/errors.ts";
import { LOG_LEVELS } from "../../system/logger.ts";
import type { CommandSpec, ParsedCommand } from "../../system/options.ts";
import { parseDuration, parseRate } from "../../system/units.ts";
import type { HostLabels } from "../../torrents/task-api.ts";
import type { DiscoverySettings } from "../discovery/discovery.ts";
import { DISCOVERY_OPTIONS, readDiscoverySettings } from "../discovery/discovery-options.ts";
import { ENCRYPTION_OPTION, type EncryptionPolicy } from "../engine/mse/encryption-policy.ts";
import { ADVERTISE_OPTION, type AdvertisedPlace } from "./advertised-place.ts";
import { parseClassRate } from "./check-request.ts";
import type { HomePaths } from "./home-paths.ts";
import { readPaths, SHARED_OPTIONS } from "./shared-options.ts";
import { readWebrtcSettings, WEBRTC_OPTIONS, type WebrtcSettings } from "./webrtc-options.ts";

const DEFAULT_SUPERNODE = "http://127.0.0.1:8002";
/** What the supernode takes. */
const MOST_IDC = 64;
const MOST_LOCATION = 512;
const DEFAULT_PEER_LISTEN = "0.0.0.0:65002";

export const DAEMON_COMMAND: CommandSpec = {
  name: "dfdaemon",
  description: "Host daemon: all downloads of this host share its store, its connections and its limits.",
  options: [
    ...SHARED_OPTIONS,
    {
      flags: "--peer-listen <HOST:PORT>",
      help: "address for other peers; port 0: any free one; not given and taken: any free one",
      default: DEFAULT_PEER_LISTEN,
    },
    {
      flags: "--upload-limit <RATE>",
      help: "bytes per second sent to all peers together, e.g. 20MB, 160Mbit; 0: unlimited",
      default: 0,
      parse: parseRate,
    },
    {
      flags: "--download-limit <RATE>",
      help: "bytes per second received by all downloads together; 0: unlimited",
      default: 0,
      parse: parseRate,
    },
    {
      flags: "--priority-limit <LEVEL=RATE,...>",
      help: "bytes per second received by all downloads of a priority together, e.g. low=5MB,4=20MB; may be repeated; absent: unlimited",
      parse: parseClassRate,
    },
    ENCRYPTION_OPTION,
    ...DISCOVERY_OPTIONS,
    ...ORIGIN_OPTIONS,
    {
      flags: "--idle-exit <DURATION>",
      help: "leave after so long without a request, e.g. 5m; 0: never",
      default: 0,
      defaultText: "0 (never)",
      parse: parseDuration,
    },
    {
      flags: "--cache-size <SIZE>",
      help: "most content of the store: bytes such as 20GB, or a share of the file system such as 80%; the least recently used goes first; 0: no bound",
      default: { bytes: 0 },
      defaultText: "0 (no bound)",
      parse: parseCacheSize,
    },
    {
      flags: "--expire <DURATION>",
      help: "remove content that was not used for so long, e.g. 12h, 7d; 0: never",
      default: 0,
      defaultText: "0 (never)",
      parse: parseDuration,
    },
    { flags: "--socket-group <GROUP>", help: "group (name or number) that may use the socket too; absent: only this user" },
    { flags: "--idc <NAME>", help: "data centre of this host, so that near peers are preferred; absent: by its address" },
    { flags: "--location <A|B|C>", help: "where this host is, from the widest place to the narrowest, e.g. eu|de|fra1|rack7" },
    ADVERTISE_OPTION,
    ...WEBRTC_OPTIONS,
    { flags: "--take-over", help: "have a daemon that runs for this home stop, and take its place; absent: fail where one runs" },
    { flags: "--metrics <HOST:PORT>", help: "serve metrics for Prometheus at /metrics there; port 0: any free one; absent: no" },
    { flags: "--log-level <LEVEL>", help: `${LOG_LEVELS.join(", ")}`, default: "info", parse: parseLogLevel },
  ],
};

export interface DaemonSettings {
  readonly paths: HomePaths;
  readonly supernodes: readonly string[];
  /** For the supernodes' API; undefined: none. */
  readonly token: string | undefined;
  readonly peerListen: HostPort;
  readonly peerPortGiven: boolean;
  readonly uploadBytesPerSecond: number;
  readonly downloadBytesPerSecond: number;
  /** Of all downloads of one priority together, by priority. */
  readonly classBytesPerSecond: ReadonlyMap<number, number>;
  readonly encryption: EncryptionPolicy;
  readonly discovery: DiscoverySettings;
  readonly webrtc: WebrtcSettings | undefined;
  readonly origin: OriginOptions;
  readonly idleExitMs: number;
  readonly cacheSize: CacheSize;
  readonly expireMs: number;
  /** Group id that may use the socket; undefined: nobody else. */
  readonly socketGroup: number | undefined;
  readonly labels: HostLabels;
  readonly advertise?: AdvertisedPlace;
  readonly takeOver: boolean;
  /** Where to serve metrics; undefined: nowhere. */
  readonly metrics: HostPort | undefined;
  readonly logLevel: string;
}

/** Throws SkimmerError `bad_request`. */
export function readDaemonSettings(command: ParsedCommand): DaemonSettings {
  const { options } = command;
  if (command.args.length > 0) throw new SkimmerError("bad_request", `dfdaemon takes no argument "${command.args[0]}"`);
  return {
    paths: readPaths(options),
    supernodes: (options.supernode as string[] | undefined) ?? [DEFAULT_SUPERNODE],
    token: options.token as string | undefined,
    peerListen: parseHostPort(options.peerListen as string),
    peerPortGiven: command.sourceOf("peerListen") !== "default",
    uploadBytesPerSecond: options.uploadLimit as number,
    downloadBytesPerSecond: options.downloadLimit as number,
    encryption: options.encryption as EncryptionPolicy,
    discovery: readDiscoverySettings(options),
    webrtc: readWebrtcSettings(options),
    origin: readOriginOptions(options),
    idleExitMs: options.idleExit as number,
    cacheSize: options.cacheSize as CacheSize,
    classBytesPerSecond: (options.priorityLimit as ReadonlyMap<number, number> | undefined) ?? new Map(),
    expireMs: options.expire as number,
    socketGroup: readGroup(options.socketGroup as string | undefined),
    labels: { idc: readLabel(options.idc, "--idc", MOST_IDC), location: readLabel(options.location, "--location", MOST_LOCATION) },
    advertise: options.advertise as AdvertisedPlace | undefined,
    takeOver: options.takeOver === true,
    metrics: typeof options.metrics === "string" ? parseHostPort(options.metrics) : undefined,
    logLevel: options.logLevel as string,
  };
}

function readLabel(value: unknown, option: string, most: number): string | undefined {
  if (typeof value !== "string") return undefined;
  if (value.length <= most) return value;
  throw new SkimmerError("bad_request", `${option} is longer than ${most} characters`);
}

/** The id of a group by name or number, from /etc/group. */
function readGroup(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const lines = existsSync("/etc/group") ? readFileSync("/etc/group", "utf8").split("\n") : [];
  const found = lines.map((line) => line.split(":")).find(([name]) => name === text);
  if (found === undefined) throw new SkimmerError("bad_request", `there is no group "${text}" in /etc/group`, { hint: "Give its number." });
  return Number(found[2]);
}

function parseLogLevel(text: string): string {
  const known: readonly string[] = LOG_LEVELS;
  if (!known.includes(text)) throw new SkimmerError("bad_request", `"${text}" is not a log level`, { hint: `One of ${known.join(", ")}.` });
  return text;
}
