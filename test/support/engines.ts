/**
 * Engines in the test's own process, on loopback, with a live torrent between them.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { openEngine } from "../../peer/engine/engine.ts";
import type { EncryptionPolicy } from "../../peer/engine/mse/encryption-policy.ts";
import type { Engine, Torrent } from "../../peer/engine/types.ts";
import type { Clock } from "../../system/clock.ts";
import { silentLogger } from "../../system/logger.ts";
import { generateClusterKey, publicKeyBytes } from "../../torrents/cluster-key.ts";
import { type Geometry, geometryOf, pieceOffset } from "../../torrents/geometry.ts";
import type { PeerId } from "../../torrents/ids.ts";
import { encodeLiveInfo } from "../../torrents/live-info.ts";
import { makePeerId } from "../../torrents/peer-id.ts";

export const PIECE_BYTES = 256 * 1024;

/** A live torrent's common facts. */
export interface LiveFile {
  readonly content: Buffer;
  readonly geometry: Geometry;
  readonly liveInfo: Buffer;
  readonly key: ReturnType<typeof generateClusterKey>;
}

export function liveFile(content: Buffer): LiveFile {
  const key = generateClusterKey();
  const geometry = geometryOf({ lengthBytes: content.length, pieceLengthBytes: PIECE_BYTES });
  const liveInfo = encodeLiveInfo({ ...geometry, name: "file.bin", key: publicKeyBytes(key), task: randomBytes(32) });
  return { content, geometry, liveInfo, key };
}

export interface EngineSettings {
  readonly upload?: number;
  readonly download?: number;
  readonly encryption?: EncryptionPolicy;
  /** Default 127.0.0.1. */
  readonly host?: string;
  readonly bufferBytes?: number;
  /** Default: one of ours. */
  readonly peerId?: PeerId;
  /** Default: the real one. */
  readonly clock?: Clock;
}

export function startEngine(role: "peer" | "seeder", limits: EngineSettings = {}): Promise<Engine> {
  const peerId = limits.peerId ?? makePeerId(role, randomBytes(20));
  const listen = { host: limits.host ?? "127.0.0.1", port: 0 };
  return openEngine({
    listen,
    role,
    peerId,
    uploadBytesPerSecond: limits.upload ?? 0,
    downloadBytesPerSecond: limits.download ?? 0,
    encryption: limits.encryption,
    bufferBytes: limits.bufferBytes,
    clock: limits.clock,
    logger: silentLogger,
  });
}

export function addTorrent(engine: Engine, file: LiveFile, folder: string, signs = false): Promise<Torrent> {
  const { geometry, liveInfo, key } = file;
  return engine.add({ directory: join(folder, engine.peerId), name: "file.bin", geometry, liveInfo, signer: signs ? key : undefined });
}

/** Delivers every missing piece, or the given ones, as a fetch from the origin would. */
export async function feed(torrent: Torrent, content: Buffer, pieces = Number.POSITIVE_INFINITY): Promise<string[]> {
  const kinds: string[] = [];
  const signal = AbortSignal.timeout(20_000);
  for (let count = 0; count < pieces; count++) {
    const claim = torrent.claimMissing(1);
    if (claim === undefined) break;
    const piece = await torrent.acquire(claim.first, { signal });
    content.copy(piece.bytes, 0, pieceOffset(torrent.geometry, claim.first));
    kinds.push((await torrent.deliver(piece, "origin")).kind);
  }
  return kinds;
}

export async function completed(torrent: Torrent): Promise<void> {
  if (!torrent.complete) await once(torrent, "complete", { signal: AbortSignal.timeout(30_000) });
}

/** The whole content as the torrent gives it. */
export async function contentOf(torrent: Torrent): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let index = 0; index < torrent.geometry.pieceCount; index++) pieces.push(await torrent.read(index));
  return Buffer.concat(pieces);
}
