/**
 * How a .torrent or magnet link that somebody else made becomes a task: what is stored already, else an entry of its own.
 * Drives: asks the store and, for a link, peers.
 */
import { SkimmerError } from "../../system/errors.ts";
import { infoHashV1, infoHashV2 } from "../../torrents/final-torrents.ts";
import { originKey } from "../../torrents/task-identity.ts";
import { contentBytes } from "../../torrents/torrent-layout.ts";
import type { DownloadRequest } from "./daemon-api.ts";
import type { OpenTask, Plan } from "./download-plan.ts";
import { mergePlaces } from "./merge-places.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { TaskIndex } from "./task-index.ts";
import { describeInfos, hashesOf, type TorrentInfos, type TorrentSource } from "./torrent-source.ts";

export interface TorrentPlanParts {
  readonly index: Pick<TaskIndex, "findByHashes" | "readInfos">;
  readonly fetchInfos: (source: TorrentSource, options: { signal: AbortSignal }) => Promise<TorrentInfos>;
  readonly epochMs: () => number;
}

/** Rejects with SkimmerError: `bad_request` for what is no usable torrent, `no_progress` where nobody has a link's metadata. */
export async function planTorrent(
  request: DownloadRequest,
  source: TorrentSource,
  options: TorrentPlanParts & { signal: AbortSignal },
): Promise<Plan> {
  const { index, fetchInfos, epochMs, signal } = options;
  const stored = index.findByHashes(source.hashes);
  const peers = source.peers.map((peer) => ({ ...peer, seeder: false }));
  const common = { final: undefined, alone: undefined, seedersOnly: false, peers };
  if (stored?.liveInfo !== undefined) return { kind: "torrent", task: { ...common, entry: stored, layout: undefined }, warnings: [] };
  // they go along: where its files were changed, the task begins anew with them
  const kept = stored && (await index.readInfos(stored.infoHash).catch(() => infosOf(stored, source)));
  if (stored !== undefined && kept !== undefined) {
    const entry = knownEntry(stored, source);
    return { kind: "torrent", task: { ...common, entry, infos: kept, layout: describeInfos(kept).layout }, warnings: [] };
  }
  const infos = source.infos ?? (await fetchInfos(source, { signal }));
  const entry = entryOf(infos, { request, source, lastUsedAtMs: epochMs() });
  const { layout } = describeInfos(infos);
  if (layout.isSingle && entry.lengthBytes === 0) return { kind: "empty", name: entry.name, warnings: [] };
  const task: OpenTask = { ...common, entry, infos, layout };
  return { kind: "torrent", task, warnings: [] };
}

/** What is stored, with the places that were given now: not of files that are shared where they are, nor of a supernode's tasks. */
export function knownEntry(stored: TaskEntry, source: TorrentSource): TaskEntry {
  return stored.inPlace === undefined && stored.liveInfo === undefined ? { ...stored, ...mergePlaces(stored, source) } : stored;
}

/** The dicts that were given, where they are those of the stored task. */
function infosOf({ infoHash }: TaskEntry, { infos }: TorrentSource): TorrentInfos | undefined {
  return infos !== undefined && hashesOf(infos)[0] === infoHash ? infos : undefined;
}

/** What to remember of a torrent that somebody else made, or that this host made of its own files. */
export function entryOf(
  infos: TorrentInfos,
  options: { request: DownloadRequest | { url: string }; source?: TorrentSource; lastUsedAtMs: number },
): TaskEntry {
  const { request, source, lastUsedAtMs } = options;
  const { name, layout, isPrivate } = describeInfos(infos);
  const [infoHash] = hashesOf(infos);
  if (infoHash === undefined) throw new SkimmerError("internal", "a torrent without an info dict");
  return {
    infoHash,
    infoHashV1: infos.infoV1 && infoHashV1(infos.infoV1),
    infoHashV2: infos.infoV2 && infoHashV2(infos.infoV2),
    url: request.url,
    originKey: originKey(request),
    name,
    lengthBytes: contentBytes(layout),
    pieceLengthBytes: layout.geometry.pieceLengthBytes,
    pieceCount: layout.geometry.pieceCount,
    validators: {},
    trackers: source?.trackers ?? [],
    private: isPrivate,
    webSeeds: source?.webSeeds,
    dhtNodes: source?.dhtNodes,
    local: false,
    volatile: false,
    complete: false,
    lastUsedAtMs,
  };
}
