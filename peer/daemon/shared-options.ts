/**
 * Options that dfget and dfdaemon have under the same names. Decides, apart from looking at the environment.
 * Apart from daemon-command.ts because dfget starts with it: nothing here is slow to load.
 */
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { SkimmerError } from "../../system/errors.ts";
import type { OptionSpec } from "../../system/options.ts";
import { TOKEN_OPTION } from "../../system/supernode-token.ts";
import { checkSupernode } from "./check-request.ts";
import { type HomePaths, homePaths } from "./home-paths.ts";

export const SHARED_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--supernode <URL,...>",
    help: "supernodes to ask, in order, separated by commas; host or host:port will do; host=2 has weight 2",
    parse: parseSupernodes,
  },
  TOKEN_OPTION,
  {
    flags: "--home <DIR>",
    help: "folder of this host's store, socket and log; each has a daemon of its own",
    default: join(homedir(), ".skimmer"),
    defaultText: "~/.skimmer",
  },
  { flags: "--socket <PATH>", help: "Unix socket between dfget and daemon; absent: dfdaemon.sock in the home folder" },
];

/** The paths that `--home` and `--socket` come to. */
export function readPaths(options: Readonly<Record<string, unknown>>): HomePaths {
  const home = resolve(options.home as string);
  const paths = homePaths({ home, uid: process.getuid?.() ?? 0, temporary: tmpdir() });
  return typeof options.socket === "string" ? { ...paths, socket: resolve(options.socket) } : paths;
}

/** A list of supernodes, added to those of earlier mentions. */
export function parseSupernodes(text: string, previous: unknown): string[] {
  const urls = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  if (urls.length === 0) throw new SkimmerError("bad_request", "--supernode names no supernode");
  return [...((previous as string[] | undefined) ?? []), ...urls.map(checkSupernode)];
}
