/**
 * What is in a torrent and where it would be looked for, for who wants to know, or to choose files of it. Drives: a link's metadata is in the
 * store, or asked of peers.
 */
import { formatHostPort } from "../../system/addresses.ts";
import { contentBytes } from "../../torrents/torrent-layout.ts";
import type { TorrentListing, TorrentPlaces } from "./daemon-api.ts";
import type { Planner } from "./download-plan.ts";
import { entryOf, knownEntry } from "./plan-torrent.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { TaskIndex } from "./task-index.ts";
import { placesOf, type Viewer, type WaysOf } from "./torrent-places.ts";
import { describeInfos, hashesOf, type TorrentInfos, type TorrentSource } from "./torrent-source.ts";

export interface ListTorrentOptions {
  readonly planner: Pick<Planner, "fetchInfos">;
  readonly index: Pick<TaskIndex, "findByHashes" | "readInfos">;
  readonly waysOf: WaysOf;
  readonly viewer: Viewer;
  readonly signal: AbortSignal;
}

/** Rejects with SkimmerError `no_progress` where nobody has a link's metadata. */
export async function listTorrent(source: TorrentSource, options: ListTorrentOptions): Promise<TorrentListing> {
  const stored = options.index.findByHashes(source.hashes);
  const infos = source.infos ?? (await storedInfos(stored, options.index)) ?? (await options.planner.fetchInfos(source, options));
  const entry =
    stored === undefined ? entryOf(infos, { request: { url: "magnet:" }, source, lastUsedAtMs: 0 }) : knownEntry(stored, source);
  return { ...contentOf(infos), ...placesOf(entry, options), peers: source.peers.map(formatHostPort) };
}

/** The files as `--list-files` shows them. */
function contentOf(infos: TorrentInfos): Omit<TorrentListing, keyof TorrentPlaces | "peers"> {
  const { name, layout } = describeInfos(infos);
  return {
    name,
    infoHashes: hashesOf(infos),
    lengthBytes: contentBytes(layout),
    pieceLengthBytes: layout.geometry.pieceLengthBytes,
    files: layout.files.map(({ path, lengthBytes }) => ({ path: path.join("/"), lengthBytes })),
  };
}

async function storedInfos(stored: TaskEntry | undefined, index: ListTorrentOptions["index"]): Promise<TorrentInfos | undefined> {
  return stored === undefined || stored.liveInfo !== undefined ? undefined : index.readInfos(stored.infoHash);
}
