/**
 * Binds an HTTP server to a Unix socket that only its user, and one group where that is wanted, may open. Drives.
 * The process's umask (main.ts) keeps others out in the moment between bind and chmod.
 * The caller holds the daemon's lock: a socket file that is there already was left by a crash, and is replaced.
 */

import { chmod, chown, unlink } from "node:fs/promises";
import type { Server } from "node:http";
import { SkimmerError } from "../../system/errors.ts";

/** Resolves when callers can connect. Rejects with SkimmerError `address_in_use`. */
export async function listenSocket(server: Server, path: string, group?: number): Promise<void> {
  await unlink(path).catch(ignoreAbsent);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } catch (cause) {
    throw new SkimmerError("address_in_use", `cannot listen on the socket ${path}: ${(cause as Error).message}`, {
      hint: "Give another one with --socket.",
      cause,
    });
  }
  if (group === undefined) return chmod(path, 0o600);
  await chown(path, -1, group).catch((cause: Error) => {
    throw new SkimmerError("bad_request", `cannot give the socket to group ${group}: ${cause.message}`, {
      hint: "--socket-group needs a group that this user is in.",
      cause,
    });
  });
  await chmod(path, 0o660);
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT")
    throw new SkimmerError("address_in_use", `cannot replace the old socket: ${error.message}`, { cause: error });
}
