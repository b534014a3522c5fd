/**
 * Where the content of a torrent goes: only the daemon knows whether it becomes a file or a folder, and writes it, unless it serves other
 * users too. Drives: looks whether the path is a folder.
 */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { DaemonPlace } from "./daemon-place.ts";
import { isShared } from "./daemon-socket.ts";
import type { Fetch } from "./fetch-one.ts";

/** Into a folder where there is one, or where none is named; else to the file. */
export async function torrentOutput(
  output: string | undefined,
  { name, place }: { name: string; place: DaemonPlace },
): Promise<Pick<Fetch, "output" | "byDaemon">> {
  if (output === "-") return { output };
  const found = output === undefined ? undefined : await stat(output).catch(() => undefined);
  const isFolder = output === undefined || output.endsWith("/") || found?.isDirectory() === true;
  const path = resolve(output ?? ".");
  if (isShared(place.paths.socket)) return { output: isFolder ? join(path, name) : path };
  return { byDaemon: isFolder ? { outputFolder: path } : { output: path } };
}
