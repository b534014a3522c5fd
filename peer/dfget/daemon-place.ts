/**
 * Which daemon a command talks to, and how to start it where none runs. Decides, apart from looking at the environment.
 */
import type { HomePaths } from "../daemon/home-paths.ts";
import { readPaths } from "../daemon/shared-options.ts";

export interface DaemonPlace {
  readonly paths: HomePaths;
  /** True where the socket is not the one that follows from home. */
  readonly socketGiven: boolean;
  readonly supernodes: readonly string[] | undefined;
  /** For their API. */
  readonly token: string | undefined;
  /** Further options for a daemon that has to be started. */
  readonly daemonArguments: readonly string[];
}

/** The place that the shared options of a subcommand come to. */
export function readDaemonPlace(options: Readonly<Record<string, unknown>>): DaemonPlace {
  return {
    paths: readPaths(options),
    socketGiven: options.socket !== undefined,
    supernodes: options.supernode as string[] | undefined,
    token: options.token as string | undefined,
    daemonArguments: [],
  };
}
