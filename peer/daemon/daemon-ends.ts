/**
 * Endings: of a daemon that runs already, asked by the one that takes its place, and of our own API server. Drives.
 */
import type { Server } from "node:http";
import { requestJson } from "../../system/json-http.ts";
import { ownerSocket } from "./home-paths.ts";

/** The lock is waited for: a daemon ends its downloads, tells the trackers, and flushes first. */
export const TAKE_OVER_MS = 12_000;

/** Asks the daemon behind the socket to stop; it is no failure where there is none. */
export async function stopRunningDaemon(socketPath: string): Promise<void> {
  for (const path of [ownerSocket(socketPath), socketPath]) {
    const request = { url: "http://dfdaemon/v1/stop", socketPath: path, method: "POST", timeoutMs: 2_000 };
    if ((await requestJson(request).catch(() => undefined))?.status === 202) return;
  }
}

/** Every download was cancelled by now: its caller gets the last event, for which a second is time enough. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, 1_000);
  await Promise.race([closed, promise]);
  clearTimeout(timer);
  server.closeAllConnections();
}
