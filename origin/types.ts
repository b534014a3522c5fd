/**
 * What an origin back end offers, and what the fetcher needs from whoever takes the pieces.
 * An Origin reads bytes of one scheme; it decides nothing about caching, pieces or identity.
 */
import type { Geometry } from "../torrents/geometry.ts";
import type { Validators } from "../torrents/task-api.ts";

/** What is wanted: a URL with the caller's headers; `window` where only a byte range of it is the file. */
export interface OriginRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** First and last byte (inclusive) of the URL's content that make up the file. */
  readonly window?: { readonly firstByte: number; readonly lastByte: number };
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
}

/** Takes bytes in order. A returned promise is awaited before more is read: that is the backpressure. */
export type ChunkSink = (chunk: Buffer) => void | Promise<void>;

export interface Origin {
  /** Asks for length, validators and range support. Rejects with SkimmerError origin_* (status kept). */
  probe(request: OriginRequest, options: { signal: AbortSignal }): Promise<Probe>;
  /** Reads exactly the range into `sink`; rejects with SkimmerError where bytes are missing, wrong or late. */
  read(request: OriginRequest, range: ReadRange, sink: ChunkSink, options: { signal: AbortSignal }): Promise<void>;
  close(): Promise<void>;
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
