/**
 * How many connections one address may hold open, so that one caller does not take them all. Drives sockets.
 * Invariant: a count is there only while one of its connections is. This machine's own callers have no limit.
 */
import type { Server, Socket } from "node:net";
import { plainAddress } from "../../system/addresses.ts";
import { isLoopback } from "./identify.ts";
import { limitKey } from "./request-limits.ts";

/** Room for a site of this many hosts behind one address. */
const MOST_PER_ADDRESS = 2000;

/** Ends connections beyond that at once. `most`: absent: MOST_PER_ADDRESS. */
export function limitConnections(server: Server, options: { readonly most?: number; readonly counts?: Map<string, number> } = {}): void {
  const { most = MOST_PER_ADDRESS, counts = new Map<string, number>() } = options;
  server.on("connection", (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress ?? "");
    if (isLoopback(address)) return;
    const key = limitKey(address);
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    socket.once("close", () => {
      const left = (counts.get(key) ?? 1) - 1;
      if (left === 0) counts.delete(key);
      else counts.set(key, left);
    });
    if (count > most) socket.destroy();
  });
}
