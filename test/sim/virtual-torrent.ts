/**
 * The engine's own torrent without threads and disk: a hash takes a fixed time and always comes out right, and every piece is the same
 * memory. Picker, downloads, reveal plan, uploads and records are the real ones.
 */
import pino from "pino";
import { Bitfield } from "../../peer/engine/bitfield.ts";
import { DownloadShares } from "../../peer/engine/download-shares.ts";
import { LiveExchange } from "../../peer/engine/live-exchange.ts";
import { PeerConduct } from "../../peer/engine/peer-conduct.ts";
import type { PieceBuffers, Slot } from "../../peer/engine/piece-buffers.ts";
import { PieceStore } from "../../peer/engine/piece-store.ts";
import { PieceTruth } from "../../peer/engine/piece-truth.ts";
import type { Journal } from "../../peer/engine/store/journal.ts";
import type { SwarmState } from "../../peer/engine/swarm-state.ts";
import { SwarmTorrent } from "../../peer/engine/swarm-torrent.ts";
import type { TorrentIdentity } from "../../peer/engine/torrent-identity.ts";
import { Limiter } from "../../system/limiter.ts";
import type { Geometry } from "../../torrents/geometry.ts";
import type { VirtualTime } from "./virtual-time.ts";

const HASH_MS = 3;
const BUFFER_BYTES = 48 * 1024 * 1024;

export interface VirtualTorrentOptions {
  readonly time: VirtualTime;
  readonly geometry: Geometry;
  readonly identity: TorrentIdentity;
  readonly role: "peer" | "seeder";
  readonly random: () => number;
}

/** A torrent that lives in virtual time; it throws where it would ban a peer. */
export function virtualTorrent(options: VirtualTorrentOptions): SwarmTorrent {
  const { identity, role } = options;
  const state = makeState(options);
  const journal = { append: () => undefined } as unknown as Journal;
  return new SwarmTorrent({
    state,
    identity,
    store: new PieceStore(state, journal, { signs: identity.signer !== undefined }),
    role,
    live: (owner) => {
      const { publicKey, signer, secret, name, infoHash } = identity;
      return publicKey && new LiveExchange(state, { infoHash, name, publicKey, signer, secret }, owner);
    },
    saveMeta: () => Promise.resolve(),
    wake: () => undefined,
    onFinal: () => undefined,
    onBanned: ({ reason }) => {
      throw new Error(`a peer was banned: ${reason}`);
    },
  });
}

function makeState({ time, geometry, random }: VirtualTorrentOptions): SwarmState {
  const clock = { nowMs: () => time.nowMs };
  const share = new DownloadShares(clock, 0).open(0);
  const result = { id: 0, good: true, root: Buffer.alloc(32, 1), sha1: Buffer.alloc(20) };
  const workers = { run: () => new Promise((resolve) => time.plan(HASH_MS, () => resolve(result))) };
  return {
    geometry,
    truth: new PieceTruth(geometry),
    have: new Bitfield(geometry.pieceCount),
    unverified: new Bitfield(geometry.pieceCount),
    links: new Set(),
    data: { place: () => ({ release: () => undefined }) } as unknown as SwarmState["data"],
    buffers: endlessBuffers(geometry),
    workers: workers as unknown as SwarmState["workers"],
    clock,
    random,
    logger: pino({ level: "silent" }),
    uploadLimiter: new Limiter(clock, 0),
    downloadShare: share,
    downloadLimiter: share.limiter,
    conduct: new PeerConduct(),
    cachePrefix: "",
  };
}

/** One memory for all pieces: what they hold does not matter here. */
function endlessBuffers({ pieceLengthBytes }: Geometry): PieceBuffers {
  const slot = { bytes: Buffer.alloc(pieceLengthBytes) } as Slot;
  const some = (): Slot => slot;
  const none = (): void => undefined;
  const buffers = { budgetBytes: BUFFER_BYTES, tryAcquire: some, acquire: () => Promise.resolve(slot), lookup: some };
  const sent = { hold: () => true, release: none };
  return { ...buffers, sent, retain: none, release: none, cache: none, uncache: none } as unknown as PieceBuffers;
}
