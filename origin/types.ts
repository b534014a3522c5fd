/**
 * What an origin back end offers, and what the fetcher needs from whoever takes the pieces.
 * An Origin reads bytes of one scheme; it decides nothing about caching, pieces or identity.
 */
import type { Geometry } from "../torrents/geometry.ts";
import type { OriginTls, Validators } from "../torrents/task-api.ts";

/** What is wanted: a URL with the caller's headers; `window` where only a byte range of it is the file. */
export interface OriginRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** First and last byte (inclusive) of the URL's content that make up the file. */
  readonly window?: { readonly firstByte: number; readonly lastByte: number };
  /** Its caller is on this machine, and may have the loopback read where others may not. */
  readonly loopback?: boolean;
  /** Whom its caller trusts at an https origin; absent: whom everybody here does. */
  readonly tls?: OriginTls;
}

/** What the origin says of the content, without the content. */
export interface Probe {
  /** Length of the file in bytes (of the window where there is one); undefined: the origin does not tell. */
  readonly lengthBytes: number | undefined;
  /** True where byte ranges were seen to work. */
  readonly ranges: boolean;
  readonly validators: Validators;
  /** File name from Content-Disposition or the URL's last segment; safe: no separators, no control characters, not empty. */
  readonly name: string;
  /** Cache-Control as sent, lower case; empty where absent. */
  readonly cacheControl: string;
}

export interface ReadRange {
  /** First byte (of the file) to read. */
  readonly firstByte: number;
  /** Last byte, inclusive; undefined: to the end (origins without ranges or length). */
  readonly lastByte: number | undefined;
  /** Sent as If-Range; another version answers `origin_changed`. */
  readonly validators: Validators;
  /** The file's length as it was probed; an origin that now tells another one answers `origin_changed`. Absent: unknown. */
  readonly lengthBytes?: number;
}

/**
 * Takes bytes in order. A returned promise is awaited before more is read: that is the backpressure. The chunk may be
 * overwritten once the sink has returned, or its promise resolved.
 */
export type ChunkSink = (chunk: Buffer) => void | Promise<void>;

export interface AskOptions {
  readonly signal: AbortSignal;
  /** Told of each answer as it begins, redirects and refusals included: an HTTP status; 200 from what is no HTTP. */
  readonly onAnswer?: (status: number) => void;
  /** Told when a limit of ours holds the bytes back. */
  readonly onHeld?: () => void;
}

/** One entry of a folder at the origin. */
export interface OriginEntry {
  /** Last segment of its path, without slashes; safe as a file name. */
  readonly name: string;
  /** What to ask for to get it, or to list it. */
  readonly url: string;
  readonly isDirectory: boolean;
  /** undefined for folders, and where the origin does not tell. */
  readonly lengthBytes: number | undefined;
}

/** One level of a folder, sorted by name. */
export interface OriginListing {
  readonly entries: readonly OriginEntry[];
  /** True where there are more than the caller wanted. */
  readonly truncated: boolean;
}

/** A source of bytes: one scheme's back end, or all of them behind openOrigin(). */
export interface Origin {
  /** Asks for length, validators and range support. Rejects with SkimmerError origin_* (status kept). */
  probe(request: OriginRequest, options: AskOptions): Promise<Probe>;
  /** Reads exactly the range into `sink`; rejects with SkimmerError where bytes are missing, wrong or late. */
  read(request: OriginRequest, range: ReadRange, sink: ChunkSink, options: AskOptions): Promise<void>;
  /** How many other tasks read from the request's host, or wait to. Absent: nobody knows. */
  othersAt?(request: OriginRequest): number;
  /** The entries of a folder, one level, at most `most` of them. Absent: this kind of origin has no folders. */
  list?(request: OriginRequest, options: AskOptions & { readonly most: number }): Promise<OriginListing>;
  close(): Promise<void>;
}

/** Bounds on reading origins; an absent one stays as it is. Rates in bytes per second, 0 is unlimited. */
export interface OriginLimits {
  /** Over all origins. */
  readonly bytesPerSecond?: number;
  /** From each origin host. */
  readonly hostBytesPerSecond?: number;
  /** Connections at once to each origin host, over all tasks; at least 1. */
  readonly connectionsPerHost?: number;
}

/** What was asked of one origin host since the start. */
export interface OriginHostStats {
  /** Host and port of http and hdfs, `s3://bucket`, `file://`. */
  readonly host: string;
  /** Probes, reads and listings begun. */
  readonly requests: number;
  /** Content bytes received. */
  readonly bytes: number;
  /** Answers by status, redirects included. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Requests that ended with an error, unless we ended them. */
  readonly failures: number;
  /** Connections in use, and requests that wait for one. */
  readonly active: number;
  readonly waiting: number;
}

export interface OriginStats {
  readonly limits: Required<OriginLimits>;
  /** Hosts used of late; the least recently used are dropped beyond a bound, `total` keeps what they counted. */
  readonly hosts: readonly OriginHostStats[];
  readonly total: Pick<OriginHostStats, "requests" | "bytes" | "statuses" | "failures">;
}

/** All schemes behind one face, shared by all tasks of a process, with limits that may change while it runs. */
export interface SharedOrigin extends Origin {
  /** Rejects with `unsupported_scheme` for what cannot be listed. */
  list(request: OriginRequest, options: AskOptions & { readonly most: number }): Promise<OriginListing>;
  setLimits(limits: OriginLimits): void;
  stats(): OriginStats;
}

/** Who takes fetched pieces: the engine's Torrent fits as it is. */
export interface PieceTarget {
  readonly geometry: Geometry;
  has(index: number): boolean;
  claimMissing(maxPieces: number): { readonly first: number; readonly count: number } | undefined;
  unclaim(index: number): void;
  acquire(index: number, options: { signal: AbortSignal }): Promise<{ readonly index: number; readonly bytes: Buffer; release(): void }>;
  deliver(
    buffer: { readonly index: number; readonly bytes: Buffer; release(): void },
    source: "origin",
  ): Promise<{ readonly kind: "stored" | "unverified" | "mismatch" | "duplicate" }>;
}
