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
import { parseInfos } from "../../torrents/parse-info.ts";
import { Bitfield } from "./bitfield.ts";
import type { DownloadShares } from "./download-shares.ts";
import type { HashWorkers } from "./hash-workers.ts";
import { layerFiles } from "./layer-store.ts";
import { LiveExchange } from "./live-exchange.ts";
import type { BannedPeer, PeerConduct } from "./peer-conduct.ts";
import type { PieceBuffers } from "./piece-buffers.ts";
import { PieceStore, padSlot } from "./piece-store.ts";
import { PieceTruth } from "./piece-truth.ts";
import type { ContentStore } from "./store/content-store.ts";
import { Journal } from "./store/journal.ts";
import { openContent } from "./store/open-content.ts";
import { readMeta, type TorrentMeta, writeMeta } from "./store/torrent-meta.ts";
import { isHere, type SwarmState } from "./swarm-state.ts";
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
  const metaPath = join(spec.directory, "meta");
  const [meta] = await Promise.all([readMeta(metaPath), mkdir(spec.directory, { recursive: true, mode: 0o700 })]);
  if (meta.infoV1 !== undefined && meta.infoV2 !== undefined)
    identity.useFinal({ infoV1: spec.infoV1 ?? meta.infoV1, infoV2: spec.infoV2 ?? meta.infoV2 });
  const truth = knownTruth(spec, identity, spec.pieceLayer ?? meta.pieceLayer);
  const { data, fresh } = await openContent(spec);
  const { journal, entries } = await Journal.open(join(spec.directory, "journal"));
  const state = makeState(system, { spec, identity, truth, data });
  const store = new PieceStore(state, journal, { signs: spec.signer !== undefined });
  store.replay(entries);
  if (spec.verified === true) markAll(state, store);
  dropLacking(state, store);
  const trusted = !fresh && (spec.verified === true || (await isTrusted(meta, data, state.have.isFull)));
  if (!trusted) await verifyAll(state, store, fresh);
  let saving = Promise.resolve();
  let next: Promise<void> | undefined;
  // what is asked for while a write waits for its turn is in that write
  const save = (owner: SwarmTorrent): Promise<void> => {
    next ??= saving
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        saving = saveMeta(metaPath, owner, data);
        return saving;
      });
    return next;
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
      await store.close();
      await journal.close();
      await save(torrent).catch(() => undefined);
      state.uploadLimiter.close();
      state.downloadShare[Symbol.dispose]();
      await data.close();
    },
  };
}

/** The caller vouches for all pieces. */
function markAll({ have }: SwarmState, store: PieceStore): void {
  for (let index = 0; index < have.length; index++) if (!have.has(index)) store.markStored(index);
}

/** Files can vanish, or be cut, one by one. */
function dropLacking({ have, data, truth, geometry }: SwarmState, store: PieceStore): void {
  for (let index = 0; index < have.length; index++)
    if (have.has(index) && data.lacks(index * geometry.pieceLengthBytes, truth.lengthAt(index))) store.drop(index);
}

let opened = 0;

function makeState(
  system: TorrentSystem,
  parts: { spec: TorrentSpec; identity: TorrentIdentity; truth: PieceTruth; data: ContentStore },
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

/** What the pieces must be, from info dicts: v2 roots where there are layers that fit, SHA-1 where there is v1. */
function knownTruth(spec: TorrentSpec, identity: TorrentIdentity, pieceLayer: Buffer | undefined): PieceTruth {
  const { infoV1, infoV2, liveInfo } = identity;
  const truth = new PieceTruth(spec.geometry, infoV2 === undefined ? [] : layerFiles(parseInfos({ infoV2 }).layout));
  if (infoV2 !== undefined && pieceLayer !== undefined && !truth.useLayer(pieceLayer))
    throw new SkimmerError("protocol", "the torrent's piece layers do not fit its pieces roots");
  const sha1s = infoV1 !== undefined && liveInfo === undefined ? parseInfos({ infoV1 }).sha1s : undefined;
  if (sha1s !== undefined) truth.useSha1s(sha1s);
  return truth;
}

let boot: Promise<string> | undefined;

/** Read once: it is the same for as long as a process lives. */
function bootId(): Promise<string> {
  boot ??= readFile("/proc/sys/kernel/random/boot_id", "utf8").then(
    (text) => text.trim(),
    () => "unknown",
  );
  return boot;
}

async function isTrusted(meta: TorrentMeta, data: ContentStore, full: boolean): Promise<boolean> {
  if (meta.completeMtimeMs !== undefined && full) return meta.completeMtimeMs === (await data.stamp());
  const now = await bootId();
  return meta.boot === now && now !== "unknown";
}

/** Hashes every piece that the journal names; what is wrong is dropped. A fresh file holds none of them. */
async function verifyAll(state: SwarmState, store: PieceStore, fresh: boolean): Promise<void> {
  for (let index = 0; index < state.have.length; index++) {
    if (!isHere(state, index)) continue;
    if (fresh || !state.have.has(index) || !(await isGood(state, index))) store.drop(index);
  }
}

function isGood(state: SwarmState, index: number): Promise<boolean> {
  const { truth, buffers, data, workers, geometry } = state;
  const expected = truth.expectation(index);
  if (expected === undefined) return Promise.resolve(false);
  const lengthBytes = truth.lengthAt(index);
  return buffers.use(truth.paddedLengthAt(index), async (slot) => {
    await data.read(slot.bytes.subarray(0, lengthBytes), index * geometry.pieceLengthBytes);
    const { root, sha1 } = expected;
    const leafCount = root === undefined ? 0 : truth.leafCountAt(index);
    const paddedBytes = padSlot(slot, truth, index);
    const job = {
      lengthBytes,
      paddedBytes,
      leafCount,
      sha1: sha1 !== undefined,
      expectedRoot: root,
      expectedSha1: sha1,
      fd: -1,
      offset: 0,
    };
    return (await workers.run(slot, job)).good;
  });
}

async function saveMeta(path: string, torrent: SwarmTorrent, data: ContentStore): Promise<void> {
  await writeMeta(path, {
    liveInfo: torrent.liveInfo,
    infoV1: torrent.infoV1,
    infoV2: torrent.infoV2,
    pieceLayer: torrent.infoV2 === undefined ? undefined : torrent.pieceLayer,
    finalSignature: torrent.finalSignature,
    boot: await bootId(),
    completeMtimeMs: torrent.complete ? await data.stamp() : undefined,
  });
}
