/**
 * dfget's side of the daemon's API: one request over the Unix socket, its events as they come. Drives.
 *
 * node:http is taken from process.getBuiltinModule(): as an ESM import it costs 40 ms, because every name that it exports
 * is looked up and one of them loads the whole of fetch (measured with Node 24).
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import { SkimmerError } from "../../system/errors.ts";
import type { DoneEvent, DownloadEvent, ErrorEvent } from "../daemon/daemon-api.ts";

const http = process.getBuiltinModule("node:http");
const MAX_LINE_LENGTH = 1024 * 1024;

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
}

/** Asks for a download and follows it to its end. Rejects with the reason of `signal`. */
export async function postDownload(options: PostOptions): Promise<SocketResult> {
  const response = await connect(options);
  if (response === undefined) return { kind: "away" };
  try {
    return await follow(response, options.onEvent);
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

/** Long homes have their socket in the shared temporary folder: what another user put there is not our daemon. */
function checkOwner(socket: string): void {
  const found = process.getBuiltinModule("node:fs").lstatSync(socket, { throwIfNoEntry: false });
  if (found !== undefined && found.uid !== process.getuid?.() && found.uid !== 0) throw notOurs(socket);
}

function notOurs(socket: string, cause?: unknown): SkimmerError {
  const hint = "Use --home with a folder of your own.";
  return new SkimmerError("daemon_unreachable", `the daemon's socket ${socket} belongs to another user`, { hint, cause });
}

async function connect(options: PostOptions): Promise<IncomingMessage | undefined> {
  checkOwner(options.socket);
  const body = Buffer.from(JSON.stringify(options.body));
  const headers = { "content-type": "application/json", "content-length": body.length };
  try {
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const { socket: socketPath, signal } = options;
      const request: ClientRequest = http.request(
        { socketPath, path: "/v1/downloads", method: "POST", headers, agent: false, signal },
        resolve,
      );
      request.once("error", reject);
      request.end(body);
    });
  } catch (thrown) {
    options.signal.throwIfAborted();
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM") throw notOurs(options.socket, thrown);
    if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ECONNRESET" || code === "EPIPE") return undefined;
    throw new SkimmerError("daemon_unreachable", `cannot use the socket ${options.socket}: ${message}`, { cause: thrown });
  }
}

async function follow(response: IncomingMessage, onEvent: (event: DownloadEvent) => void): Promise<SocketResult> {
  let rest = "";
  response.setEncoding("utf8");
  for await (const text of response as AsyncIterable<string>) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE_LENGTH) throw new SkimmerError("protocol", "the daemon sends a line without end");
    for (const line of lines) {
      const event = parseEvent(line, response.statusCode ?? 0);
      if (event.event === "done") return { kind: "done", event };
      if (event.event === "error") return { kind: "error", event };
      onEvent(event);
    }
  }
  return { kind: "died" };
}

/** A line of the stream, or the error body of a refused request as the event that it amounts to. */
function parseEvent(line: string, status: number): DownloadEvent {
  try {
    const value = JSON.parse(line) as DownloadEvent | { error: Omit<ErrorEvent, "event"> };
    if ("event" in value) return value;
    return { event: "error", ...value.error };
  } catch (cause) {
    throw new SkimmerError("protocol", `the daemon answered HTTP ${status} without JSON`, {
      hint: "Is another program listening on the socket?",
      cause,
    });
  }
}
