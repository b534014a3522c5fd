/**
 * One download through the host daemon, started where none runs. Drives.
 * A daemon that dies in the middle is started again, a bounded number of times: what it had verified is on disk, and a
 * stream goes on at the byte where it stopped. Where the daemon is another user's (a system install), it sends the
 * content and this process writes the file, with its own rights.
 */
import type { ErrorCode } from "../../system/errors.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { DoneEvent, DownloadEvent, ErrorEvent } from "../daemon/daemon-api.ts";
import type { ContentTarget } from "./content-target.ts";
import type { DaemonPlace } from "./daemon-place.ts";
import { isShared, postDownload } from "./daemon-socket.ts";
import type { Job } from "./dfget-settings.ts";

const MAX_DEATHS = 10;
/** No daemon is found right after one was started: something removes it. */
const MAX_STARTS = 12;

export interface FetchOptions {
  readonly place: DaemonPlace;
  readonly signal: AbortSignal;
  readonly onEvent: (event: DownloadEvent) => void;
}

/** Rejects with SkimmerError, or the reason of `signal`. */
export async function fetchThroughDaemon(job: Job, options: FetchOptions): Promise<DoneEvent> {
  const target = await openTarget(job, options);
  try {
    const done = await fetchInto(job, target, options);
    await target?.finish();
    return job.storeOnly ? done : { ...done, output: job.output ?? "-" };
  } catch (thrown) {
    await target?.drop();
    throw thrown;
  }
}

/** Undefined: the daemon writes the output itself. */
async function openTarget(job: Job, { place, signal }: FetchOptions): Promise<ContentTarget | undefined> {
  if (job.storeOnly || (job.output !== undefined && !isShared(place.paths.socket))) return undefined;
  const { fileTarget, standardOutput } = await import("./content-target.ts");
  return job.output === undefined ? standardOutput(signal) : fileTarget(job.output, job.body.mode as number);
}

async function fetchInto(job: Job, target: ContentTarget | undefined, options: FetchOptions): Promise<DoneEvent> {
  const { place, signal } = options;
  let starts = 0;
  let deaths = 0;
  let written = 0;
  let infoHash: string | undefined;
  const onEvent = (event: DownloadEvent): void => {
    if (event.event === "start") infoHash = event.infoHash ?? infoHash;
    options.onEvent(event);
  };
  const onContent = (bytes: Buffer): Promise<void> | undefined => {
    written += bytes.length;
    return target?.write(bytes);
  };
  for (;;) {
    const body = target === undefined ? job.body : { ...job.body, output: undefined, fill: undefined, stream: { skip: written, infoHash } };
    const result = await postDownload({ socket: place.paths.socket, body, signal, onEvent, onContent });
    if (result.kind === "done") return result.event;
    if (result.kind === "error" && result.event.code !== "cancelled") throw errorOf(result.event);
    if (result.kind === "away") {
      if (++starts > MAX_STARTS)
        throw new SkimmerError("daemon_unreachable", "the host daemon keeps leaving", { hint: `Its log is ${place.paths.log}.` });
      const { startDaemon } = await import("./start-daemon.ts");
      await startDaemon({ ...place, signal });
    } else {
      if (++deaths > MAX_DEATHS)
        throw new SkimmerError("daemon_unreachable", "the host daemon died again and again", {
          hint: `Its log is ${place.paths.log}; what was downloaded is kept.`,
        });
      options.onEvent({ event: "warning", message: "the host daemon went away; going on with a new one" });
    }
  }
}

/** What the daemon said as the error that it was there. */
export function errorOf({ code, message, hint, status }: Omit<ErrorEvent, "event">): SkimmerError {
  return new SkimmerError(code as ErrorCode, message, { hint, status });
}
