/**
 * What is in a torrent, for who wants to choose files of it. Drives: a link's metadata is in the store, or asked of peers.
 */
import { contentBytes } from "../../torrents/torrent-layout.ts";
import type { TorrentListing } from "./daemon-api.ts";
import type { Planner } from "./download-plan.ts";
import type { TaskIndex } from "./task-index.ts";
import { describeInfos, hashesOf, type TorrentInfos, type TorrentSource } from "./torrent-source.ts";

export interface ListTorrentOptions {
  readonly planner: Pick<Planner, "fetchInfos">;
  readonly index: Pick<TaskIndex, "findByHashes" | "readInfos">;
  readonly signal: AbortSignal;
}

/** Rejects with SkimmerError `no_progress` where nobody has a link's metadata. */
export async function listTorrent(source: TorrentSource, options: ListTorrentOptions): Promise<TorrentListing> {
  return listInfos(source.infos ?? (await storedInfos(source, options.index)) ?? (await options.planner.fetchInfos(source, options)));
}

/** The files as `--list-files` shows them. */
export function listInfos(infos: TorrentInfos): TorrentListing {
  const { name, layout, isPrivate } = describeInfos(infos);
  return {
    name,
    infoHashes: hashesOf(infos),
    lengthBytes: contentBytes(layout),
    pieceLengthBytes: layout.geometry.pieceLengthBytes,
    private: isPrivate,
    files: layout.files.map(({ path, lengthBytes }) => ({ path: path.join("/"), lengthBytes })),
  };
}

async function storedInfos({ hashes }: TorrentSource, index: ListTorrentOptions["index"]): Promise<TorrentInfos | undefined> {
  const stored = index.findByHashes(hashes);
  return stored === undefined || stored.liveInfo !== undefined ? undefined : index.readInfos(stored.infoHash);
}
