/**
 * Opens a port for peers. Drives.
 */
import type { Server } from "node:net";
import { SkimmerError } from "../../system/errors.ts";

/** Resolves when the server listens. Rejects with SkimmerError `address_in_use`. */
export async function listenAt(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const code = error.code === "EADDRINUSE" ? "address_in_use" : "internal";
      reject(
        new SkimmerError(code, `cannot listen on ${host}:${port}: ${error.message}`, {
          hint: "Choose another port, or 0 for any free one.",
          cause: error,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}
