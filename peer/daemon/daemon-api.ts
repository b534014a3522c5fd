/**
 * Shapes of the host daemon's API: HTTP over a Unix socket, spoken by dfget (and by whoever else lives on the host).
 * Only shapes; requests are parsed in parse-download-request.ts, events in ../dfget/event-lines.ts.
 *
 * `POST /v1/downloads` answers newline-delimited JSON: any number of start, progress and warning events, then exactly
 * one `done` or `error`. Closing the connection cancels the request.
 */
import type { BytesFrom } from "../engine/types.ts";

/** Body of `POST /v1/downloads`, after parsing. Zero and absent: see each field. */
export interface DownloadRequest {
  readonly url: string;
  /** Absolute path of the file to write; absent: the content only goes into the host's store. */
  readonly output?: string;
  /** Permission bits of a new output file (0o666 less the caller's umask). */
  readonly outputMode: number;
  readonly headers: Readonly<Record<string, string>>;
  /** `sha256:HEX` of the whole content. */
  readonly digest?: string;
  /** MD5 of the whole content, 32 hex digits. */
  readonly md5?: string;
  /** Bytes per second of this download; 0 is unlimited. */
  readonly limitBytesPerSecond: number;
  /** True: never read the origin from this host. */
  readonly notbs: boolean;
  /** Most milliseconds for the whole request; 0 is no bound. */
  readonly timeoutMs: number;
  /** Supernodes to ask in order; absent: those of the daemon. */
  readonly supernodes?: readonly string[];
  readonly tag?: string;
  readonly filter?: readonly string[];
  /** `FIRST-LAST`, inclusive. */
  readonly range?: string;
  readonly pieceLengthBytes?: number;
}

/** How the content is reached: through a swarm, from the answer itself, straight from the origin, or from this host's store. */
export type Route = "swarm" | "inline" | "origin";

export interface StartEvent {
  readonly event: "start";
  readonly name: string;
  /** null: the origin does not tell. */
  readonly lengthBytes: number | null;
  readonly pieceLengthBytes: number | null;
  readonly infoHash: string | null;
  readonly route: Route;
}

export interface ProgressEvent {
  readonly event: "progress";
  readonly bytes: number;
  readonly total: number | null;
  /** Bytes per second of late. */
  readonly rate: number;
  readonly peers: number;
  readonly from: BytesFrom;
}

export interface WarningEvent {
  readonly event: "warning";
  readonly message: string;
}

export interface DoneEvent {
  readonly event: "done";
  readonly status: "ok";
  readonly output: string | null;
  readonly bytes: number;
  readonly seconds: number;
  readonly infoHash: string | null;
  readonly from: BytesFrom;
  /** Why the origin was read from this host, where it was. */
  readonly reason?: string;
}

export interface ErrorEvent {
  readonly event: "error";
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** HTTP status of the origin where that is the cause. */
  readonly status?: number;
}

export type DownloadEvent = StartEvent | ProgressEvent | WarningEvent | DoneEvent | ErrorEvent;

/** Body of `GET /v1/info`. */
export interface DaemonInfo {
  readonly pid: number;
  readonly version: string;
  readonly home: string;
  readonly socket: string;
  readonly peer: string;
  readonly peerId: string;
  readonly supernodes: readonly string[];
  readonly activeDownloads: number;
  readonly torrents: number;
  readonly uptimeSeconds: number;
}

/** One row of `GET /v1/tasks`. */
export interface TaskRow {
  readonly infoHash: string;
  readonly name: string;
  readonly url: string;
  readonly lengthBytes: number;
  readonly bytesHave: number;
  readonly complete: boolean;
  /** True while a request waits for it. */
  readonly downloading: boolean;
  readonly uploadedBytes: number;
  readonly peers: number;
  readonly from: BytesFrom | null;
  readonly lastUsedAt: string;
}

/** A request body above this is refused. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** Progress events of one request are at least this far apart. */
export const PROGRESS_INTERVAL_MS = 200;
