/**
 * One download through the host daemon, started where none runs. Drives.
 * A daemon that dies in the middle is started again, a bounded number of times: what it had verified is on disk.
 */
import type { ErrorCode } from "../../system/errors.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { DoneEvent, DownloadEvent, ErrorEvent } from "../daemon/daemon-api.ts";
import { postDownload } from "./daemon-socket.ts";
import type { DfgetSettings } from "./dfget-command.ts";

const MAX_DEATHS = 10;
/** No daemon is found right after one was started: something removes it. */
const MAX_STARTS = 12;

export interface FetchOptions {
  readonly signal: AbortSignal;
  readonly onEvent: (event: DownloadEvent) => void;
}

/** Rejects with SkimmerError, or the reason of `signal`. */
export async function fetchThroughDaemon(settings: DfgetSettings, options: FetchOptions): Promise<DoneEvent> {
  let starts = 0;
  let deaths = 0;
  for (;;) {
    const result = await postDownload({ socket: settings.paths.socket, body: settings.body, ...options });
    if (result.kind === "done") return result.event;
    if (result.kind === "error" && result.event.code !== "cancelled") throw errorOf(result.event);
    if (result.kind === "away") {
      if (++starts > MAX_STARTS)
        throw new SkimmerError("daemon_unreachable", "the host daemon keeps leaving", { hint: `Its log is ${settings.paths.log}.` });
      const { startDaemon } = await import("./start-daemon.ts");
      await startDaemon({ ...settings, signal: options.signal });
    } else {
      if (++deaths > MAX_DEATHS)
        throw new SkimmerError("daemon_unreachable", "the host daemon died again and again", {
          hint: `Its log is ${settings.paths.log}; what was downloaded is kept.`,
        });
      options.onEvent({ event: "warning", message: "the host daemon went away; going on with a new one" });
    }
  }
}

function errorOf({ code, message, hint, status }: ErrorEvent): SkimmerError {
  return new SkimmerError(code as ErrorCode, message, { hint, status });
}
