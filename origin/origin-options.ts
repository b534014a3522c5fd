/**
 * The options of reading origins, the same for every command that reads them (seeder, dfdaemon). Decides.
 */
import { delimiter, resolve } from "node:path";
import { SkimmerError } from "../system/errors.ts";
import type { OptionSpec } from "../system/options.ts";
import { parseRate } from "../system/units.ts";
import { DEFAULT_CONNECTIONS, type OriginOptions } from "./open-origin.ts";

export const ORIGIN_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--origin-connections <COUNT>",
    help: "connections at once to each origin host, over all tasks",
    default: DEFAULT_CONNECTIONS,
    parse: parseCount,
  },
  { flags: "--origin-limit <RATE>", help: "bytes per second from all origins together; 0 is unlimited", default: 0, parse: parseRate },
  { flags: "--origin-host-limit <RATE>", help: "bytes per second from each origin host; 0 is unlimited", default: 0, parse: parseRate },
  { flags: "--origin-ca <FILE>", help: "PEM file of authorities to trust besides the public ones, for https origins" },
  { flags: "--origin-insecure", help: "do not check the certificates of https origins" },
  {
    flags: "--file-root <DIR>",
    help: `folder that file:// may read, with all below it; repeatable, or joined by ${delimiter}; absent: none`,
    parse: (text, previous) => [...list(previous), ...split(text, delimiter).map((path) => resolve(path))],
  },
  { flags: "--s3-endpoint <URL>", help: "base URL of an S3-compatible service; absent: AWS, or what its environment and profile say" },
  { flags: "--s3-region <NAME>", help: "region of the buckets; absent: that of the AWS environment or profile, else us-east-1" },
  { flags: "--s3-path-style", help: "address buckets as HOST/BUCKET rather than BUCKET.HOST" },
  {
    flags: "--s3-bucket <NAME>",
    help: "bucket that s3:// may read with this machine's credentials; repeatable, or joined by commas; absent: all",
    parse: (text, previous) => [...list(previous), ...split(text, ",")],
  },
  { flags: "--hdfs-user <NAME>", help: "user.name for hdfs:// addresses that name no user; absent: none is sent" },
];

/** What openOrigin() takes, from the options as they were parsed. Throws SkimmerError `bad_request`. */
export function readOriginOptions(options: Readonly<Record<string, unknown>>): OriginOptions {
  const text = (name: string): string | undefined => options[name] as string | undefined;
  const endpoint = text("s3Endpoint");
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? ""))
    throw new SkimmerError("bad_request", `--s3-endpoint: "${endpoint}" is no address`, { hint: "Write it as https://HOST:PORT." });
  return {
    http: { caFile: text("originCa"), insecure: options.originInsecure === true },
    fileRoots: list(options.fileRoot),
    s3: { endpoint, region: text("s3Region"), pathStyle: options.s3PathStyle === true, buckets: list(options.s3Bucket) },
    hdfs: { user: text("hdfsUser") },
    limits: {
      bytesPerSecond: options.originLimit as number,
      hostBytesPerSecond: options.originHostLimit as number,
      connectionsPerHost: options.originConnections as number,
    },
  };
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1024) return count;
  throw new SkimmerError("bad_request", `"${text}" is no count of connections`, { hint: "Give a whole number from 1 to 1024." });
}

function list(value: unknown): readonly string[] {
  return Array.isArray(value) ? value : [];
}

function split(text: string, separator: string): string[] {
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
