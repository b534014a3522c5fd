/**
 * A folder with a home and a scripted origin, and dfget with nothing else running: no supernode answers. For e2e tests.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "./folders.ts";
import { beginCommand, type CommandResult, type RunningCommand, runCommand, startCommand, stopDaemonOf } from "./processes.ts";
import { ScriptedOrigin } from "./scripted-origin.ts";

export const MIB = 1024 * 1024;
/** Nobody listens there. */
export const NO_SUPERNODE = "http://127.0.0.1:1";

export interface Place extends AsyncDisposable {
  readonly folder: string;
  readonly home: string;
  readonly origin: ScriptedOrigin;
  path(name: string): string;
  /** With --json. */
  dfget(...args: string[]): Promise<CommandResult>;
  /** Without --json, and any subcommand first. */
  plain(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CommandResult>;
  /** As given, and nothing else. */
  bare(...args: string[]): Promise<CommandResult>;
  begin(...args: string[]): ReturnType<typeof beginCommand>;
}

/** A folder with a home and an origin; the daemon of that home is ended with it. */
export async function place(options: { bytesPerSecond?: number } = {}): Promise<Place> {
  const folder = await temporaryFolder();
  const origin = await ScriptedOrigin.start(options);
  const home = join(folder.path, "home");
  const args = (given: string[]): string[] => [...given, "--home", home, "--supernode", NO_SUPERNODE, "--json"];
  return {
    folder: folder.path,
    home,
    origin,
    path: (name) => join(folder.path, name),
    dfget: (...given) => runCommand({ command: "dfget", args: args(given), folder: folder.path }),
    plain: ([first, ...rest], env = {}) =>
      runCommand({ command: "dfget", args: [first, "--home", home, "--supernode", NO_SUPERNODE, ...rest], folder: folder.path, env }),
    bare: (...given) => runCommand({ command: "dfget", args: given, folder: folder.path }),
    begin: (...given) => beginCommand({ command: "dfget", args: args(given), folder: folder.path }),
    [Symbol.asyncDispose]: async () => {
      await stopDaemonOf(home);
      await origin[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

export function startDaemon(at: Place, ...args: string[]): Promise<RunningCommand> {
  return startCommand({
    command: "dfdaemon",
    args: ["--home", at.home, "--supernode", NO_SUPERNODE, "--peer-listen", "127.0.0.1:0", ...args],
  });
}

export async function sha256(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}
