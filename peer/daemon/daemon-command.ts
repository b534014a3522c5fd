/**
 * The options of `dfdaemon` (and `dfget daemon`), and their reading. Decides, apart from looking at the environment.
 */
import { type HostPort, parseHostPort } from "../../system/addresses.ts";
import { SkimmerError } from "../../system/errors.ts";
import { LOG_LEVELS } from "../../system/logger.ts";
import type { CommandSpec, ParsedCommand } from "../../system/options.ts";
import { parseDuration, parseRate } from "../../system/units.ts";
import type { HomePaths } from "./home-paths.ts";
import { readPaths, SHARED_OPTIONS } from "./shared-options.ts";

const DEFAULT_SUPERNODE = "http://127.0.0.1:8002";
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
      flags: "--idle-exit <DURATION>",
      help: "leave after so long without a request, e.g. 5m; 0: never",
      default: 0,
      defaultText: "0 (never)",
      parse: parseDuration,
    },
    { flags: "--take-over", help: "have a daemon that runs for this home stop, and take its place; absent: fail where one runs" },
    { flags: "--log-level <LEVEL>", help: `${LOG_LEVELS.join(", ")}`, default: "info", parse: parseLogLevel },
  ],
};

export interface DaemonSettings {
  readonly paths: HomePaths;
  readonly supernodes: readonly string[];
  readonly peerListen: HostPort;
  readonly peerPortGiven: boolean;
  readonly uploadBytesPerSecond: number;
  readonly downloadBytesPerSecond: number;
  readonly idleExitMs: number;
  readonly takeOver: boolean;
  readonly logLevel: string;
}

/** Throws SkimmerError `bad_request`. */
export function readDaemonSettings(command: ParsedCommand): DaemonSettings {
  const { options } = command;
  if (command.args.length > 0) throw new SkimmerError("bad_request", `dfdaemon takes no argument "${command.args[0]}"`);
  return {
    paths: readPaths(options),
    supernodes: (options.supernode as string[] | undefined) ?? [DEFAULT_SUPERNODE],
    peerListen: parseHostPort(options.peerListen as string),
    peerPortGiven: command.sourceOf("peerListen") !== "default",
    uploadBytesPerSecond: options.uploadLimit as number,
    downloadBytesPerSecond: options.downloadLimit as number,
    idleExitMs: options.idleExit as number,
    takeOver: options.takeOver === true,
    logLevel: options.logLevel as string,
  };
}

function parseLogLevel(text: string): string {
  const known: readonly string[] = LOG_LEVELS;
  if (!known.includes(text)) throw new SkimmerError("bad_request", `"${text}" is not a log level`, { hint: `One of ${known.join(", ")}.` });
  return text;
}
