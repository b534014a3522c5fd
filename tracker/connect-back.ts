/**
 * Whether other hosts can reach a caller's peer port: the supernode tries it. Drives.
 *
 * Tried is the address that the request itself came from, or the one that the caller advertises: who may ask may register downloads, and so
 * have addresses connected to anyway; the same ones are denied. Only by connecting, nothing is sent. Bounded: attempts at once, and one at
 * a time for each address.
 */
import type { IncomingMessage } from "node:http";
import net, { isIP } from "node:net";
import type Router from "@koa/router";
import { plainAddress } from "../system/addresses.ts";
import { SkimmerError } from "../system/errors.ts";
import { deniedError, type Reach } from "../system/reach.ts";
import { fieldReader } from "../torrents/parse-fields.ts";
import type { ConnectBackAnswer } from "../torrents/task-api.ts";
import { identityOf } from "./access/scopes.ts";

const TIMEOUT_MS = 3_000;
const MOST_AT_ONCE = 64;
const MOST_ADDRESS = 45;
const read = fieldReader("bad_request", "connect-back request");

/** Adds the route. */
export function addConnectBackRoute(
  router: Router,
  { readJson, reach }: { readJson(request: IncomingMessage): Promise<unknown>; reach: Reach },
): void {
  const trying = new Set<string>();
  router.post("/api/v1/connect-back", async (context) => {
    const fields = read.object(await readJson(context.req), "body");
    const port = read.integer(fields.port, "port", { least: 1, most: 65535 });
    const host = parseHost(fields.host) ?? plainAddress(context.req.socket.remoteAddress ?? "");
    if (!reach.allows(host, { loopback: identityOf(context).onThisMachine })) throw deniedError(host);
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

function parseHost(value: unknown): string | undefined {
  const host = read.optionalText(value, "host", MOST_ADDRESS);
  return host === undefined || isIP(host) !== 0 ? host : read.fail("host", "an IP address");
}
