/**
 * The options of `seeder`, and what they mean. Decides.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { ORIGIN_OPTIONS } from "../origin/origin-options.ts";
import { ENCRYPTION_OPTION, type EncryptionPolicy } from "../peer/engine/mse/encryption-policy.ts";
import { type HostPort, parseHostPort } from "../system/addresses.ts";
import { type CacheSize, parsePercent } from "../system/cache-size.ts";
import { SkimmerError } from "../system/errors.ts";
import { LOG_LEVELS } from "../system/logger.ts";
import type { CommandSpec, OptionSpec } from "../system/options.ts";
import { REACH_OPTIONS, type ReachFlags } from "../system/reach-options.ts";
import { TOKEN_OPTION } from "../system/supernode-token.ts";
import { parseRate } from "../system/units.ts";
import type { SeederLimits } from "../torrents/task-api.ts";
import { parseQuota } from "./room-plan.ts";

export const SUPERNODE_OPTION: OptionSpec = {
  flags: "--supernode <URL>",
  help: "supernode to serve: one full URL",
  default: "http://127.0.0.1:8002",
  parse: parseSupernode,
};
export const DATA_OPTION: OptionSpec = {
  flags: "--data <DIR>",
  help: "folder for contents, key and state",
  default: join(homedir(), ".skimmer", "seeder"),
};
export const CACHE_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--cache-size <SIZE>",
    help: "most content to keep: bytes such as 100GB, or a share of the file system such as 80%; 0 is all of it",
    default: { share: 0.8 },
    defaultText: "80%",
    parse: parseQuota,
  },
  {
    flags: "--cache-high <SHARE>",
    help: "share of the cache size above which the least recently used tasks are evicted",
    default: 0.95,
    defaultText: "95%",
    parse: parsePercent,
  },
  {
    flags: "--cache-low <SHARE>",
    help: "share of the cache size down to which they are evicted",
    default: 0.85,
    defaultText: "85%",
    parse: parsePercent,
  },
];

export const SEEDER_COMMAND: CommandSpec = {
  name: "seeder",
  description: "Fetches origins once and seeds what it fetched to a supernode's swarms.",
  options: [
    SUPERNODE_OPTION,
    TOKEN_OPTION,
    {
      flags: "--listen <HOST:PORT>",
      help: "peer port; port 0 takes any free one",
      default: { host: "0.0.0.0", port: 8001 },
      defaultText: "0.0.0.0:8001",
      parse: parseHostPort,
    },
    DATA_OPTION,
    { flags: "--advertise <HOST>", help: "host that peers dial; absent: the address that the supernode sees", parse: parseHost },
    {
      flags: "--cluster-key <FILE>",
      help: "private key that all seeders of a supernode share; absent: cluster.key in the data folder, made when needed",
    },
    ...CACHE_OPTIONS,
    ENCRYPTION_OPTION,
    ...ORIGIN_OPTIONS,
    ...REACH_OPTIONS,
    {
      flags: "--upload-limit <RATE>",
      help: "bytes per second to all peers together, such as 50MB; 0 is unlimited",
      default: 0,
      parse: parseRate,
    },
    {
      flags: "--metrics <HOST:PORT>",
      help: "serve metrics for Prometheus at /metrics there; port 0 takes any free one; absent: no",
      parse: parseHostPort,
    },
    {
      flags: "--webrtc",
      help: "serve browsers too, by WebRTC, while they download; needs the package node-datachannel, which webtorrent brings",
    },
    { flags: "--log-level <LEVEL>", help: `one of ${LOG_LEVELS.join(", ")}`, default: "info" },
  ],
  after: "seeder gc removes what is least recently used; see seeder gc --help.",
};

export interface CacheFlags {
  readonly cacheSize: CacheSize;
  readonly cacheHigh: number;
  readonly cacheLow: number;
}

export interface SeederFlags extends CacheFlags, ReachFlags {
  readonly supernode: string;
  readonly token?: string;
  readonly listen: HostPort;
  readonly data: string;
  readonly advertise?: string;
  readonly clusterKey?: string;
  readonly originLimit: number;
  readonly originHostLimit: number;
  readonly originConnections: number;
  readonly uploadLimit: number;
  readonly encryption: EncryptionPolicy;
  readonly metrics?: HostPort;
  readonly webrtc?: boolean;
  readonly logLevel: string;
}

/** The bounds that the command line sets. */
export function limitsOf(flags: SeederFlags): SeederLimits {
  return {
    originBytesPerSecond: flags.originLimit,
    originHostBytesPerSecond: flags.originHostLimit,
    originConnectionsPerHost: flags.originConnections,
    uploadBytesPerSecond: flags.uploadLimit,
  };
}

/** The cache's size and marks. Throws SkimmerError `bad_request`. */
export function cacheLimitsOf({ cacheSize: size, cacheHigh: high, cacheLow: low }: CacheFlags) {
  if (low > high)
    throw new SkimmerError("bad_request", `--cache-low ${low * 100}% is above --cache-high ${high * 100}%`, {
      hint: "Evicting begins above the high mark and ends at the low one.",
    });
  return { size, high, low };
}

function parseSupernode(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const good = url !== undefined && ["http:", "https:"].includes(url.protocol) && url.pathname === "/" && url.search === "";
  if (good) return text;
  throw new SkimmerError("bad_request", `cannot read the supernode "${text}"`, { hint: "Give a full URL such as http://10.0.0.5:8002." });
}

function parseHost(text: string): string {
  if (/^[0-9A-Za-z.:%_-]{1,255}$/.test(text) && URL.canParse(`http://${text.includes(":") ? `[${text}]` : text}`)) return text;
  throw new SkimmerError("bad_request", `cannot read the host "${text}"`, { hint: "Give a host name or address, without port." });
}
