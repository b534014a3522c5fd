/**
 * Whether other hosts can reach a caller's peer port: the supernode tries it. Drives.
 *
 * Only the address that the request itself came from is tried, whatever the body says, so that nobody has others probed;
 * and only by connecting, nothing is sent. Bounded: attempts at once, and one at a time for each address.
 */
import type { IncomingMessage } from "node:http";
import net from "node:net";
import type Router from "@koa/router";
import { plainAddress } from "../system/addresses.ts";
import { SkimmerError } from "../system/errors.ts";
import { fieldReader } from "../torrents/parse-fields.ts";
import type { ConnectBackAnswer } from "../torrents/task-api.ts";

const TIMEOUT_MS = 3_000;
const MOST_AT_ONCE = 64;
const read = fieldReader("bad_request", "connect-back request");

/** Adds the route. */
export function addConnectBackRoute(router: Router, { readJson }: { readJson(request: IncomingMessage): Promise<unknown> }): void {
  const trying = new Set<string>();
  router.post("/api/v1/connect-back", async (context) => {
    const fields = read.object(await readJson(context.req), "body");
    const port = read.integer(fields.port, "port", { least: 1, most: 65535 });
    const host = plainAddress(context.req.socket.remoteAddress ?? "");
    if (trying.has(host) || trying.size >= MOST_AT_ONCE)
      throw new SkimmerError("busy", "an attempt for this address is under way", { retriable: true });
    trying.add(host);
    try {
      context.body = await connectBack(host, port);
    } finally {
      trying.delete(host);
    }
  });
}

function connectBack(host: string, port: number): Promise<ConnectBackAnswer> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: TIMEOUT_MS });
    const end = (failure?: string): void => {
      socket.destroy();
      resolve({ host, port, reachable: failure === undefined, ...(failure !== undefined && { failure }) });
    };
    socket.once("connect", () => end());
    socket.once("timeout", () => end(`no answer within ${TIMEOUT_MS / 1000} s`));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
