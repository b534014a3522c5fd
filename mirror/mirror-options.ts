/**
 * The options that dfdaemon has for its mirror, and what they come to. Decides, apart from reading the configuration file.
 */
import { readFileSync } from "node:fs";
import { parseDockerConfig } from "../registry/docker-config.ts";
import { type HostPort, parseHostPort } from "../system/addresses.ts";
import { SkimmerError } from "../system/errors.ts";
import type { OptionSpec } from "../system/options.ts";
import { parseDuration } from "../system/units.ts";
import { type MirrorConfig, parseRegistryUrl, readMirrorConfig } from "./mirror-config.ts";

const DEFAULT_REGISTRY = "https://registry-1.docker.io";
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

export const MIRROR_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--mirror-listen <HOST:PORT>",
    help: "serve the registry mirror and proxy there, such as 127.0.0.1:65001; port 0: any free one; absent: no",
  },
  { flags: "--registry <URL>", help: "registry that is mirrored where a request names none", default: DEFAULT_REGISTRY },
  { flags: "--mirror-config <FILE>", help: "YAML file with registries and proxy rules; absent: none" },
  { flags: "--mirror-auth <FILE>", help: "docker's config.json with credentials for callers that bring none; absent: none" },
  {
    flags: "--mirror-grace <DURATION>",
    help: "how long what is known is given out while the registry is down; 0: never",
    default: DAY_MS,
    defaultText: "24h",
    parse: parseDuration,
  },
  {
    flags: "--mirror-linger <DURATION>",
    help: "how long a layer's download goes on when its engine has gone",
    default: MINUTE_MS,
    defaultText: "1m",
    parse: parseDuration,
  },
  { flags: "--mirror-preheat-pushes", help: "fetch the layers of an image that was pushed through the mirror or proxy" },
];

export interface MirrorSettings {
  readonly listen: HostPort;
  readonly config: MirrorConfig;
  readonly graceMs: number;
  readonly lingerMs: number;
  readonly preheatPushes: boolean;
}

/** undefined: no mirror is wanted. Rejects with SkimmerError `bad_request`. */
export async function readMirrorSettings(options: Readonly<Record<string, unknown>>): Promise<MirrorSettings | undefined> {
  if (typeof options.mirrorListen !== "string") return undefined;
  const file = typeof options.mirrorConfig === "string" ? await readYaml(options.mirrorConfig) : undefined;
  const config = readMirrorConfig(file, parseRegistryUrl(options.registry as string));
  return {
    listen: parseHostPort(options.mirrorListen),
    config: typeof options.mirrorAuth === "string" ? withCredentials(config, options.mirrorAuth) : config,
    graceMs: options.mirrorGrace as number,
    lingerMs: options.mirrorLinger as number,
    preheatPushes: options.mirrorPreheatPushes === true,
  };
}

/** Registries of the file get its credentials, unless the configuration has some; others are added. */
function withCredentials(config: MirrorConfig, path: string): MirrorConfig {
  const registries = new Map(config.registries);
  for (const [base, credentials] of parseDockerConfig(readText(path))) {
    const known = [...registries.values()].find((registry) => registry.base === base);
    const { name } = known ?? parseRegistryUrl(base);
    const registry = known ?? { name, base, insecure: false, rewrites: [] };
    registries.set(name, { ...registry, credentials: registry.credentials ?? credentials });
  }
  return { ...config, registries };
}

async function readYaml(path: string): Promise<unknown> {
  // loaded only where there is a file: it costs start-up time
  const { parse } = await import("yaml");
  try {
    return parse(readText(path)) ?? {};
  } catch (cause) {
    if (cause instanceof SkimmerError) throw cause;
    throw new SkimmerError("bad_request", `cannot read ${path}: ${(cause as Error).message.trim()}`, { cause });
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new SkimmerError("bad_request", `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}
