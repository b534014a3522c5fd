/**
 * One question to the host daemon and its JSON answer, for the subcommands. Drives.
 */
import { SkimmerError } from "../../system/errors.ts";
import type { ErrorEvent } from "../daemon/daemon-api.ts";
import type { DaemonPlace } from "./daemon-place.ts";
import { askDaemon, type DaemonRequest, managingSocket } from "./daemon-socket.ts";
import { errorOf } from "./fetch-through-daemon.ts";

const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
const OK = 200;

export interface DaemonCall extends Pick<DaemonRequest, "method" | "path" | "body"> {
  readonly place: DaemonPlace;
  readonly signal: AbortSignal;
}

/** The answer; starts a daemon where none runs. Rejects with the daemon's own SkimmerError, or `daemon_unreachable`. */
export async function callDaemon<T>(call: DaemonCall): Promise<T> {
  const { place, signal, method, path, body } = call;
  const ask = () => askDaemon({ socket: managingSocket(place.paths.socket), method, path, body, signal });
  let response = await ask();
  if (response === undefined) {
    const { startDaemon } = await import("./start-daemon.ts");
    await startDaemon({ ...place, signal });
    response = await ask();
  }
  if (response === undefined)
    throw new SkimmerError("daemon_unreachable", "the host daemon left at once", { hint: `Its log is ${place.paths.log}.` });
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new SkimmerError("protocol", "the daemon's answer is too long");
    chunks.push(chunk);
  }
  const answer = parseJson(Buffer.concat(chunks, length).toString("utf8"));
  if (response.statusCode === OK) return answer as T;
  throw errorOf((answer as { error: Omit<ErrorEvent, "event"> }).error);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SkimmerError("protocol", "the daemon did not answer with JSON", {
      hint: "Is another program listening on the socket?",
      cause,
    });
  }
}
