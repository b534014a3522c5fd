/**
 * What the parts of one torrent share: plain state, no behaviour. Each field has one writer, named here.
 */
import type { Clock } from "../../system/clock.ts";
import type { Limiter } from "../../system/limiter.ts";
import type { Logger } from "../../system/logger.ts";
import type { Geometry } from "../../torrents/geometry.ts";
import type { Bitfield } from "./bitfield.ts";
import type { DownloadShare } from "./download-shares.ts";
import type { HashWorkers } from "./hash-workers.ts";
import type { PeerConduct } from "./peer-conduct.ts";
import type { PeerLink } from "./peer-link.ts";
import type { PieceBuffers } from "./piece-buffers.ts";
import type { PieceTruth } from "./piece-truth.ts";
import type { ContentStore } from "./store/content-store.ts";

export interface SwarmState {
  readonly geometry: Geometry;
  readonly truth: PieceTruth;
  /** Verified pieces: what we announce and serve. Written by PieceStore. */
  readonly have: Bitfield;
  /** Pieces on disk that no record vouched for yet. Written by PieceStore. */
  readonly unverified: Bitfield;
  /** Written by TorrentLinks. */
  readonly links: Set<PeerLink>;
  readonly data: ContentStore;
  readonly buffers: PieceBuffers;
  readonly workers: HashWorkers;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly uploadLimiter: Limiter;
  /** Whose limiter downloadLimiter is. */
  readonly downloadShare: DownloadShare;
  readonly downloadLimiter: Limiter;
  /** Shared by all torrents. */
  readonly conduct: PeerConduct;
  /** Prefix of this torrent's keys in the shared buffers. */
  readonly cachePrefix: string;
}

/** Key of a piece in the shared buffer cache. */
export function cacheKey(state: SwarmState, index: number): string {
  return `${state.cachePrefix}/${index}`;
}

/** Whether the piece is on disk, true or not vouched for yet. */
export function isHere({ have, unverified }: SwarmState, index: number): boolean {
  return have.has(index) || unverified.has(index);
}
