/**
 * Opens a torrent's files and builds its parts: what the disk holds, what may be trusted of it, what is still to be read.
 * Drives the file system; the rules of trust are here and nowhere else:
 * the journal is believed when it was written in this boot of the machine, and a finished file when its
 * modification time is the one that we noted; otherwise every piece is hashed again.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../system/clock.ts";
import { SkimmerError } from "../../system/errors.ts";
import { Limiter } from "../../system/limiter.ts";
import type { Logger } from "../../system/logger.ts";
import { parseInfoV1, parseInfoV2 } from "../../torrents/final-torrents.ts";
import { Bitfield } from "./bitfield.ts";
import type { DownloadShares } from "./download-shares.ts";
import type { HashWorkers } from "./hash-workers.ts";
import { LiveExchange } from "./live-exchange.ts";
import type { BannedPeer, PeerConduct } from "./peer-conduct.ts";
import type { PieceBuffers } from "./piece-buffers.ts";
import { PieceStore } from "./piece-store.ts";
import { PieceTruth } from "./piece-truth.ts";
import { DataFile } from "./store/data-file.ts";
import { Journal } from "./store/journal.ts";
import { readMeta, type TorrentMeta, writeMeta } from "./store/torrent-meta.ts";
import type { SwarmState } from "./swarm-state.ts";
import { SwarmTorrent } from "./swarm-torrent.ts";
import { TorrentIdentity } from "./torrent-identity.ts";
import type { TorrentSpec } from "./types.ts";

export interface TorrentSystem {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly buffers: PieceBuffers;
  readonly workers: HashWorkers;
  readonly uploadLimiter: Limiter;
  readonly downloads: DownloadShares;
  readonly conduct: PeerConduct;
  readonly role: "peer" | "seeder";
  onFinal(torrent: SwarmTorrent): void;
  onBanned(peer: BannedPeer): void;
  wake(): void;
}

export interface OpenedTorrent {
  readonly torrent: SwarmTorrent;
  close(): Promise<void>;
}

/** Opens or resumes. Rejects with SkimmerError (`disk_full` before anything is written). */
export async function openTorrent(system: TorrentSystem, spec: TorrentSpec): Promise<OpenedTorrent> {
  const identity = new TorrentIdentity(spec);
  const truth = new PieceTruth(spec.geometry);
  const { data, fresh } = await DataFile.open(join(spec.directory, "data"), spec.geometry.lengthBytes);
  await mkdir(spec.directory, { recursive: true });
  const metaPath = join(spec.directory, "meta");
  const meta = await readMeta(metaPath);
  const { journal, entries } = await Journal.open(join(spec.directory, "journal"));
  if (meta.infoV1 !== undefined && meta.infoV2 !== undefined)
    identity.useFinal({ infoV1: spec.infoV1 ?? meta.infoV1, infoV2: spec.infoV2 ?? meta.infoV2 });
  useKnownHashes(truth, identity, spec.pieceLayer ?? meta.pieceLayer);
  const state = makeState(system, { spec, identity, truth, data });
  const store = new PieceStore(state, journal, { signs: spec.signer !== undefined });
  store.replay(entries);
  const trusted = !fresh && (await isTrusted(meta, data, state.have.isFull));
  if (!trusted) await verifyAll(state, store, fresh);
  let saving = Promise.resolve();
  const save = (owner: SwarmTorrent): Promise<void> => {
    saving = saving.catch(() => undefined).then(() => saveMeta(metaPath, owner, data));
    return saving;
  };
  const torrent = new SwarmTorrent({
    state,
    identity,
    store,
    role: system.role,
    wake: system.wake,
    onFinal: system.onFinal,
    onBanned: system.onBanned,
    live: (owner) => makeLive(state, identity, owner),
    saveMeta: save,
  });
  const signature = spec.finalSignature ?? meta.finalSignature;
  if (signature !== undefined && identity.infoV1 !== undefined && identity.infoV2 !== undefined)
    torrent.live?.useFinal({ infoV1: identity.infoV1, infoV2: identity.infoV2, signature });
  await save(torrent);
  return {
    torrent,
    close: async () => {
      torrent.close();
      await journal.close();
      await save(torrent).catch(() => undefined);
      state.uploadLimiter.close();
      state.downloadShare[Symbol.dispose]();
      await data.close();
    },
  };
}

let opened = 0;

function makeState(
  system: TorrentSystem,
  parts: { spec: TorrentSpec; identity: TorrentIdentity; truth: PieceTruth; data: DataFile },
): SwarmState {
  const { spec, identity, truth, data } = parts;
  const pieceCount = spec.geometry.pieceCount;
  const downloadShare = system.downloads.open(spec.downloadBytesPerSecond ?? 0);
  return {
    geometry: spec.geometry,
    truth,
    have: new Bitfield(pieceCount),
    unverified: new Bitfield(pieceCount),
    links: new Set(),
    data,
    buffers: system.buffers,
    workers: system.workers,
    clock: system.clock,
    random: system.random,
    logger: system.logger,
    uploadLimiter: new Limiter(system.clock, 0, system.uploadLimiter),
    downloadShare,
    downloadLimiter: downloadShare.limiter,
    conduct: system.conduct,
    cachePrefix: `${identity.infoHash}.${opened++}`,
  };
}

function makeLive(state: SwarmState, identity: TorrentIdentity, owner: SwarmTorrent): LiveExchange | undefined {
  const { publicKey, signer, secret, name, infoHash } = identity;
  if (publicKey === undefined) return undefined;
  return new LiveExchange(state, { infoHash, name, publicKey, signer, secret }, owner);
}

/** Piece hashes from info dicts: v2 roots where there is a layer that fits, SHA-1 where there is only v1. */
function useKnownHashes(truth: PieceTruth, identity: TorrentIdentity, pieceLayer: Buffer | undefined): void {
  if (identity.infoV2 !== undefined) {
    const { piecesRoot } = parseInfoV2(identity.infoV2);
    const layer = truth.geometry.pieceCount === 1 ? piecesRoot : pieceLayer;
    if (layer !== undefined && piecesRoot !== undefined && !truth.useLayer(layer, piecesRoot)) {
      throw new SkimmerError("protocol", "the torrent's piece layer does not fit its pieces root");
    }
  }
  if (identity.infoV1 !== undefined && identity.liveInfo === undefined) truth.useSha1s(parseInfoV1(identity.infoV1).sha1s);
}

async function bootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "unknown")).trim();
}

async function isTrusted(meta: TorrentMeta, data: DataFile, full: boolean): Promise<boolean> {
  if (meta.completeMtimeMs !== undefined && full) return meta.completeMtimeMs === (await data.mtimeMs());
  const boot = await bootId();
  return meta.boot === boot && boot !== "unknown";
}

/** Hashes every piece that the journal names; what is wrong is dropped. A fresh file holds none of them. */
async function verifyAll(state: SwarmState, store: PieceStore, fresh: boolean): Promise<void> {
  for (let index = 0; index < state.have.length; index++) {
    if (!state.have.has(index) && !state.unverified.has(index)) continue;
    if (fresh || !state.have.has(index) || !(await isGood(state, index))) store.drop(index);
  }
}

async function isGood(state: SwarmState, index: number): Promise<boolean> {
  const { truth, buffers, data, workers, geometry } = state;
  const expected = truth.expectation(index);
  if (expected === undefined) return false;
  const lengthBytes = truth.lengthAt(index);
  const slot = await buffers.acquire(lengthBytes, AbortSignal.timeout(VERIFY_WAIT_MS));
  try {
    await data.read(slot.bytes.subarray(0, lengthBytes), index * geometry.pieceLengthBytes);
    const leafCount = expected.root === undefined ? 0 : truth.leafCount;
    const { root, sha1 } = expected;
    const job = { lengthBytes, leafCount, sha1: sha1 !== undefined, expectedRoot: root, expectedSha1: sha1, fd: -1, offset: 0 };
    return (await workers.run(slot, job)).good;
  } finally {
    buffers.release(slot);
  }
}

const VERIFY_WAIT_MS = 60_000;

async function saveMeta(path: string, torrent: SwarmTorrent, data: DataFile): Promise<void> {
  await writeMeta(path, {
    liveInfo: torrent.liveInfo,
    infoV1: torrent.infoV1,
    infoV2: torrent.infoV2,
    pieceLayer: torrent.infoV2 === undefined ? undefined : torrent.pieceLayer,
    finalSignature: torrent.finalSignature,
    boot: await bootId(),
    completeMtimeMs: torrent.complete ? await data.mtimeMs() : undefined,
  });
}
