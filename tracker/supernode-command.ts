/**
 * The options of `supernode`, and what they mean. Reads the file with credentials, nothing else.
 */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { type CredentialStore, parseDockerConfig } from "../registry/docker-config.ts";
import { SkimmerError } from "../system/errors.ts";
import { LOG_LEVELS } from "../system/logger.ts";
import type { CommandSpec, OptionSpec } from "../system/options.ts";
import { REACH_OPTIONS, type ReachFlags } from "../system/reach-options.ts";
import { parseDuration } from "../system/units.ts";
import { ACCESS_MODES, type AccessMode } from "./access/identify.ts";
import { type AccessOptions, DEFAULT_REQUEST_LIMIT } from "./access/open-access.ts";
import { parseRegistryUrl } from "./preheat/parse-webhook.ts";
import { type Network, parseNetworks } from "./swarm/site-table.ts";

const OPTIONS: readonly OptionSpec[] = [
  { flags: "--listen <HOST:PORT>", help: "HTTP API, HTTP, WebSocket and UDP tracker; port 0 takes any free one", default: "0.0.0.0:8002" },
  { flags: "--data <DIR>", help: "folder for state, and for the seeder's contents", default: join(homedir(), ".skimmer", "supernode") },
  { flags: "--no-seeder", help: "start no seeder; others link with: seeder --supernode URL" },
  { flags: "--seeder-listen <HOST:PORT>", help: "the own seeder's peer port; port 0 takes any free one", default: "0.0.0.0:8001" },
  { flags: "--seeder-metrics <HOST:PORT>", help: "where the own seeder serves its metrics; port 0 takes any free one; absent: nowhere" },
  { flags: "--webrtc", help: "the own seeder serves browsers too, while they download; needs the package webtorrent" },
  { flags: "--advertise <HOST>", help: "host in tracker URLs and of the own seeder; absent: the one that callers use" },
  { flags: "--open-tracker", help: "track any info hash, not only those of this supernode's tasks" },
  {
    flags: "--announce-interval <DURATION>",
    help: "how often peers should announce, such as 60s",
    default: 60_000,
    defaultText: "60s",
    parse: parseDuration,
  },
  {
    flags: "--networks <FILE>",
    help: "YAML list of networks and where they are: {cidr, idc, location}; absent: by what hosts say themselves",
  },
  {
    flags: "--origin-ca <FILE>",
    help: "PEM file of authorities to trust besides the public ones, for https registries; also the own seeder's",
  },
  { flags: "--origin-insecure", help: "do not check the certificates of https registries; also the own seeder's" },
  ...REACH_OPTIONS,
  {
    flags: "--registry-auth <FILE>",
    help: "docker's config.json with credentials for what webhooks name; needs --webhook-secret; absent: none",
  },
  {
    flags: "--webhook-secret <TEXT>",
    help: "Authorization that registries' webhooks must bring; absent: a token with the scope preheat, where one is needed",
  },
  {
    flags: "--webhook-registry <URL>",
    help: "the registry that sends webhooks, as this host reaches it; absent: the host that they name",
    parse: parseRegistryUrl,
  },
  {
    flags: "--access <MODE>",
    help: "who needs a token for the API: local: callers of other hosts; token: all; open: nobody",
    default: "local",
    parse: parseMode,
  },
  { flags: "--tokens <FILE>", help: "YAML list of tokens, made with supernode token; absent: tokens.yaml in the data folder" },
  {
    flags: "--request-limit <COUNT>",
    help: "API requests a second from each other address; 0 is unlimited",
    default: DEFAULT_REQUEST_LIMIT,
    parse: parseCount,
  },
  {
    flags: "--audit-log <FILE>",
    help: "where changes made through the API are noted; absent: audit.jsonl in the data folder; none: nowhere",
  },
  { flags: "--log-level <LEVEL>", help: `one of ${LOG_LEVELS.join(", ")}`, default: "info" },
];

export const SUPERNODE_COMMAND: CommandSpec = {
  name: "supernode",
  description: "Tracker and scheduler: makes torrents from URLs and brings peers together.",
  options: OPTIONS,
};

export interface SupernodeFlags extends ReachFlags {
  readonly listen: string;
  readonly data: string;
  readonly seeder: boolean;
  readonly seederListen: string;
  readonly seederMetrics?: string;
  readonly webrtc?: boolean;
  readonly advertise?: string;
  readonly openTracker?: boolean;
  readonly announceInterval: number;
  readonly networks?: string;
  readonly originCa?: string;
  readonly originInsecure?: boolean;
  readonly registryAuth?: string;
  readonly webhookSecret?: string;
  readonly webhookRegistry?: string;
  readonly access: AccessMode;
  readonly tokens?: string;
  readonly requestLimit: number;
  readonly auditLog?: string;
  readonly logLevel: string;
}

/** Who may call the API. */
export function accessOf({ access: mode, tokens, requestLimit, auditLog }: SupernodeFlags): AccessOptions {
  return { mode, tokens, requestLimit, auditLog: auditLog === "none" ? false : auditLog };
}

/** What its own seeder is started with. */
export function childArgs(flags: SupernodeFlags, supernode: string): string[] {
  const { seederListen, data, logLevel, advertise, seederMetrics, originCa, originInsecure, originAllow, originDeny, webrtc } = flags;
  const args = ["--supernode", supernode, "--listen", seederListen, "--data", join(data, "seeder"), "--log-level", logLevel];
  if (advertise !== undefined) args.push("--advertise", advertise);
  if (seederMetrics !== undefined) args.push("--metrics", seederMetrics);
  if (originCa !== undefined) args.push("--origin-ca", originCa);
  if (originInsecure === true) args.push("--origin-insecure");
  if (webrtc === true) args.push("--webrtc");
  if (originAllow !== undefined) args.push("--origin-allow", originAllow.join(","));
  if (originDeny !== undefined) args.push("--origin-deny", originDeny.join(","));
  return args;
}

/** The table of networks. Rejects with SkimmerError `bad_request`. */
export async function readNetworks({ networks: path }: SupernodeFlags): Promise<Network[]> {
  if (path === undefined) return [];
  const { parse } = await import("yaml");
  let value: unknown;
  try {
    value = parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new SkimmerError("bad_request", `cannot read the networks in ${path}: ${(cause as Error).message.trim()}`, { cause });
  }
  return parseNetworks(value, path);
}

/** Credentials at registries. Rejects with SkimmerError `bad_request`. */
export async function readCredentials({ registryAuth: path, webhookSecret }: SupernodeFlags): Promise<CredentialStore | undefined> {
  if (path === undefined) return undefined;
  if (webhookSecret === undefined)
    throw new SkimmerError("bad_request", "--registry-auth without --webhook-secret would let anyone use these credentials");
  try {
    return parseDockerConfig(await readFile(path, "utf8"));
  } catch (cause) {
    throw new SkimmerError("bad_request", `cannot read the registry credentials in ${path}: ${(cause as Error).message}`, { cause });
  }
}

function parseMode(text: string): AccessMode {
  const mode = ACCESS_MODES.find((each) => each === text);
  if (mode !== undefined) return mode;
  throw new SkimmerError("bad_request", `there is no access mode "${text}"`, { hint: `Give one of ${ACCESS_MODES.join(", ")}.` });
}

function parseCount(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new SkimmerError("bad_request", `"${text}" is not a count`, { hint: "Give a whole number; 0 is unlimited." });
}
