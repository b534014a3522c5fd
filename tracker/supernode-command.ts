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
import { parseDuration } from "../system/units.ts";
import { parseRegistryUrl } from "./preheat/parse-webhook.ts";
import { type Network, parseNetworks } from "./swarm/site-table.ts";

const OPTIONS: readonly OptionSpec[] = [
  { flags: "--listen <HOST:PORT>", help: "HTTP API, HTTP, WebSocket and UDP tracker; port 0 takes any free one", default: "0.0.0.0:8002" },
  { flags: "--data <DIR>", help: "folder for state, and for the seeder's contents", default: join(homedir(), ".skimmer", "supernode") },
  { flags: "--no-seeder", help: "start no seeder; others link with: seeder --supernode URL" },
  { flags: "--seeder-listen <HOST:PORT>", help: "the own seeder's peer port; port 0 takes any free one", default: "0.0.0.0:8001" },
  { flags: "--seeder-metrics <HOST:PORT>", help: "where the own seeder serves its metrics; port 0 takes any free one; absent: nowhere" },
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
  {
    flags: "--registry-auth <FILE>",
    help: "docker's config.json with credentials for what webhooks name; needs --webhook-secret; absent: none",
  },
  { flags: "--webhook-secret <TEXT>", help: "Authorization that registries' webhooks must bring; absent: anyone may send them" },
  {
    flags: "--webhook-registry <URL>",
    help: "the registry that sends webhooks, as this host reaches it; absent: the host that they name",
    parse: parseRegistryUrl,
  },
  { flags: "--log-level <LEVEL>", help: `one of ${LOG_LEVELS.join(", ")}`, default: "info" },
];

export const SUPERNODE_COMMAND: CommandSpec = {
  name: "supernode",
  description: "Tracker and scheduler: makes torrents from URLs and brings peers together.",
  options: OPTIONS,
};

export interface SupernodeFlags {
  readonly listen: string;
  readonly data: string;
  readonly seeder: boolean;
  readonly seederListen: string;
  readonly seederMetrics?: string;
  readonly advertise?: string;
  readonly openTracker?: boolean;
  readonly announceInterval: number;
  readonly networks?: string;
  readonly originCa?: string;
  readonly originInsecure?: boolean;
  readonly registryAuth?: string;
  readonly webhookSecret?: string;
  readonly webhookRegistry?: string;
  readonly logLevel: string;
}

/** What its own seeder is started with. */
export function childArgs(flags: SupernodeFlags, supernode: string): string[] {
  const { seederListen, data, logLevel, advertise, seederMetrics, originCa, originInsecure } = flags;
  const args = ["--supernode", supernode, "--listen", seederListen, "--data", join(data, "seeder"), "--log-level", logLevel];
  if (advertise !== undefined) args.push("--advertise", advertise);
  if (seederMetrics !== undefined) args.push("--metrics", seederMetrics);
  if (originCa !== undefined) args.push("--origin-ca", originCa);
  if (originInsecure === true) args.push("--origin-insecure");
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
