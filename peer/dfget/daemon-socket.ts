/**
 * dfget's side of the daemon's API: one request over the Unix socket, its events as they come. Drives.
 *
 * node:http is taken from process.getBuiltinModule(): as an ESM import it costs 40 ms, because every name that it exports
 * is looked up and one of them loads the whole of fetch (measured with Node 24).
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import { SkimmerError } from "../../system/errors.ts";
import type { DoneEvent, DownloadEvent, ErrorEvent } from "../daemon/daemon-api.ts";
import { ownerSocket } from "../daemon/home-paths.ts";
import { EventStream } from "./event-stream.ts";

const http = process.getBuiltinModule("node:http");

/** How the conversation ended. `away`: no daemon listens. `died`: it left in the middle. */
export type SocketResult =
  | { readonly kind: "done"; readonly event: DoneEvent }
  | { readonly kind: "error"; readonly event: ErrorEvent }
  | { readonly kind: "away" }
  | { readonly kind: "died" };

export interface PostOptions {
  readonly socket: string;
  readonly body: unknown;
  readonly signal: AbortSignal;
  readonly onEvent: (event: DownloadEvent) => void;
  /** Takes the content in order, where the body asks for a stream; awaited before more is read. */
  readonly onContent?: (bytes: Buffer) => Promise<void> | undefined;
}

/** Asks for a download and follows it to its end. Rejects with the reason of `signal`. */
export async function postDownload(options: PostOptions): Promise<SocketResult> {
  const response = await connect(options);
  if (response === undefined) return { kind: "away" };
  try {
    return await follow(response, options);
  } catch (thrown) {
    options.signal.throwIfAborted();
    if (thrown instanceof SkimmerError) throw thrown;
    return { kind: "died" };
  }
}

/** True where a daemon accepts connections at the socket. */
export function isListening(socket: string): Promise<boolean> {
  const net = process.getBuiltinModule("node:net");
  return new Promise((resolve) => {
    const probe = net.connect(socket);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}

const GROUP_BITS = 0o060;
const OTHERS_MAY_WRITE = 0o002;

/** True where the daemon serves other users too: it writes no outputs, and this process must not trust it with paths. */
export function isShared(socket: string): boolean {
  const found = process.getBuiltinModule("node:fs").lstatSync(socket, { throwIfNoEntry: false });
  return found !== undefined && (found.uid !== process.getuid?.() || (found.mode & GROUP_BITS) !== 0);
}

/** The socket for what only the daemon's own user may do, where that is another one and this process may open it. */
export function managingSocket(socket: string): string {
  const { accessSync, constants } = process.getBuiltinModule("node:fs");
  const own = ownerSocket(socket);
  try {
    accessSync(own, constants.W_OK);
    return own;
  } catch {
    return socket;
  }
}

/** Long homes have their socket in the shared temporary folder: what another user put there is not our daemon. */
function checkOwner(socket: string): void {
  const { lstatSync, statSync } = process.getBuiltinModule("node:fs");
  const found = lstatSync(socket, { throwIfNoEntry: false });
  if (found === undefined || found.uid === process.getuid?.() || found.uid === 0) return;
  const folder = statSync(process.getBuiltinModule("node:path").dirname(socket), { throwIfNoEntry: false });
  if (folder === undefined || (folder.mode & OTHERS_MAY_WRITE) !== 0) throw notOurs(socket);
}

function notOurs(socket: string, cause?: unknown): SkimmerError {
  const hint = "Use --home with a folder of your own.";
  return new SkimmerError("daemon_unreachable", `the daemon's socket ${socket} belongs to another user`, { hint, cause });
}

async function connect(options: PostOptions): Promise<IncomingMessage | undefined> {
  const { socket, signal, body } = options;
  return askDaemon({ socket, path: "/v1/downloads", method: "POST", body, signal });
}

export interface DaemonRequest {
  readonly socket: string;
  readonly path: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

/** Sends one request; undefined where no daemon listens. Rejects with SkimmerError `daemon_unreachable`, or the reason of `signal`. */
export async function askDaemon(request: DaemonRequest): Promise<IncomingMessage | undefined> {
  const { socket, path, method, signal } = request;
  checkOwner(socket);
  const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
  const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": body.length };
  try {
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const sent: ClientRequest = http.request({ socketPath: socket, path, method, headers, agent: false, signal }, resolve);
      sent.once("error", reject);
      sent.end(body);
    });
  } catch (thrown) {
    signal.throwIfAborted();
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM") throw notOurs(socket, thrown);
    if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ECONNRESET" || code === "EPIPE") return undefined;
    throw new SkimmerError("daemon_unreachable", `cannot use the socket ${socket}: ${message}`, { cause: thrown });
  }
}

async function follow(response: IncomingMessage, options: PostOptions): Promise<SocketResult> {
  const stream = new EventStream(response.statusCode ?? 0);
  for await (const chunk of response as AsyncIterable<Buffer>) {
    for (const item of stream.push(chunk)) {
      if (item.kind === "content") await options.onContent?.(item.bytes);
      else if (item.event.event === "done") return { kind: "done", event: item.event };
      else if (item.event.event === "error") return { kind: "error", event: item.event };
      else options.onEvent(item.event);
    }
  }
  return { kind: "died" };
}
