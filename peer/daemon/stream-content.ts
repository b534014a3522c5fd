/**
 * Sends content in order while it is still coming. Drives.
 * Backpressure: the next bytes are read when the sink took the last ones; the swarm is asked for the pieces ahead of the
 * reader first. Invariant: every byte is sent once, in order, and only from pieces that were verified or come from the origin.
 */
import { createHash } from "node:crypto";
import type { Origin, OriginRequest, Probe } from "../../origin/types.ts";
import { pieceLengthAt, pieceOffset } from "../../torrents/geometry.ts";
import type { Torrent } from "../engine/types.ts";
import type { DigestName, Digests } from "./content-digest.ts";
import { MAX_DATA_BYTES } from "./daemon-api.ts";

/** Takes the next bytes; resolves when it wants more. */
export type ContentSink = (bytes: Buffer) => Promise<void>;

export interface TorrentStreamOptions {
  readonly torrent: Torrent;
  readonly skipBytes: number;
  /** Where to stop; absent: at the end. */
  readonly endBytes?: number;
  /** True: the sink is done with bytes when its promise resolves, so two buffers take turns. New memory for each chunk costs more than the rest. */
  readonly reuse?: boolean;
  readonly sink: ContentSink;
  /** Where the reader stands, and that it has left. */
  readonly cursor: { move(index: number): void; [Symbol.dispose](): void };
  readonly signal: AbortSignal;
}

/** Sends the torrent's content from `skipBytes` to `endBytes`. Rejects with the reason of `signal`. */
export async function streamTorrent(options: TorrentStreamOptions): Promise<void> {
  const { torrent, sink, signal } = options;
  using cursor = options.cursor;
  const end = options.endBytes ?? torrent.geometry.lengthBytes;
  const move = (index: number): void => cursor.move(index);
  const size = Math.min(MAX_DATA_BYTES, Math.max(0, end - options.skipBytes));
  const kept = options.reuse === true ? [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)] : undefined;
  const read = (at: number, turn: number): Promise<Buffer> => readAt(torrent, { at, end, move, signal, target: kept?.[turn % 2] });
  // the next bytes are read while the sink takes these
  let next: Promise<Buffer> | undefined;
  for (let at = options.skipBytes, turn = 0; at < end; turn++) {
    const bytes = await (next ?? read(at, turn));
    at += bytes.length;
    next = at < end ? read(at, turn + 1) : undefined;
    next?.catch(() => undefined);
    signal.throwIfAborted();
    await sink(bytes);
  }
}

interface ReadAt {
  readonly at: number;
  readonly end: number;
  readonly move: (index: number) => void;
  readonly signal: AbortSignal;
  /** Where to; undefined: into new memory. */
  readonly target: Buffer | undefined;
}

/** The bytes from `at` on, out of one piece, when it is there. */
async function readAt(torrent: Torrent, { at, end, move, signal, target }: ReadAt): Promise<Buffer> {
  const { geometry } = torrent;
  const index = Math.floor(at / geometry.pieceLengthBytes);
  move(index);
  await pieceThere(torrent, index, signal);
  const start = at - pieceOffset(geometry, index);
  const lengthBytes = Math.min(MAX_DATA_BYTES, end - at, pieceLengthAt(geometry, index) - start);
  if (target === undefined) return torrent.read(index, { start, lengthBytes });
  const bytes = target.subarray(0, lengthBytes);
  await torrent.readInto(index, start, bytes);
  return bytes;
}

/** Sends content that is in memory. */
export async function streamBytes(bytes: Buffer, skipBytes: number, sink: ContentSink): Promise<void> {
  for (let at = skipBytes; at < bytes.length; at += MAX_DATA_BYTES) await sink(bytes.subarray(at, at + MAX_DATA_BYTES));
}

export interface OriginStreamOptions {
  readonly origin: Origin;
  readonly request: OriginRequest;
  readonly probe: Probe;
  readonly sink: ContentSink;
  readonly digests: readonly DigestName[];
  /** Waits where the host's or the task's rate is used up. */
  readonly throttle: (bytes: number) => Promise<void> | undefined;
  readonly signal: AbortSignal;
}

/** Sends content of unknown length straight from the origin, nothing stored; answers the wanted digests. */
export async function streamOrigin(options: OriginStreamOptions): Promise<{ lengthBytes: number; digests: Digests }> {
  const hashes = options.digests.map((name) => ({ name, hash: createHash(name) }));
  let lengthBytes = 0;
  const take = async (chunk: Buffer): Promise<void> => {
    await options.throttle(chunk.length);
    for (const { hash } of hashes) hash.update(chunk);
    lengthBytes += chunk.length;
    await streamBytes(chunk, 0, options.sink);
  };
  const range = { firstByte: 0, lastByte: undefined, validators: options.probe.validators };
  await options.origin.read(options.request, range, take, { signal: options.signal });
  return { lengthBytes, digests: Object.fromEntries(hashes.map(({ name, hash }) => [name, hash.digest("hex")])) };
}

/** Resolves when the piece may be read. */
async function pieceThere(torrent: Torrent, index: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (torrent.has(index)) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onPiece = (stored: number): void => void (stored === index && resolve());
  const onAbort = (): void => reject(signal.reason);
  torrent.on("piece", onPiece).on("failed", reject);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    torrent.off("piece", onPiece).off("failed", reject);
    signal.removeEventListener("abort", onAbort);
  }
}
