/**
 * The info dict of a torrent of which only the hash is known: peers from its trackers, the dict from peers (BEP 9). Drives.
 */

import { SkimmerError } from "../../system/errors.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { Engine } from "../engine/types.ts";
import { announceUrl, parseAnnounceAnswer } from "./announce-query.ts";
import type { HttpGet } from "./http-get.ts";
import { readInfo, type TorrentInfos, type TorrentSource } from "./torrent-source.ts";

const ANNOUNCE_TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const NUMWANT = 50;

/** Rejects with SkimmerError `no_progress` where nobody has it, or the reason of `signal`. */
export async function fetchTorrentInfo(
  source: TorrentSource,
  options: { engine: Engine; get: HttpGet; signal: AbortSignal },
): Promise<TorrentInfos> {
  const { engine, signal } = options;
  const [infoHash] = source.hashes;
  const peers = [...source.peers, ...(await askTrackers(source, infoHash, options))];
  signal.throwIfAborted();
  if (peers.length > 0) return readInfo(await engine.fetchInfo(infoHash, peers, { signal }));
  const udpOnly = source.trackers.length > 0 && !source.trackers.some((url) => url.startsWith("http"));
  throw new SkimmerError("no_progress", `no peer of ${infoHash} is known`, {
    hint: udpOnly
      ? "Only trackers that speak HTTP are asked; this link has others only. Use the .torrent file, or add x.pe=HOST:PORT."
      : "Use the .torrent file, or a magnet link with trackers (tr=) or peers (x.pe=HOST:PORT).",
    retriable: true,
  });
}

async function askTrackers(
  source: TorrentSource,
  infoHash: InfoHash,
  { engine, get, signal }: { engine: Engine; get: HttpGet; signal: AbortSignal },
): Promise<{ host: string; port: number }[]> {
  const announce = { infoHash, peerId: engine.peerId, port: engine.address.port, uploaded: 0, downloaded: 0, left: 1, numwant: NUMWANT };
  const trackers = source.trackers.filter((url) => /^https?:/i.test(url));
  const bounds = { timeoutMs: ANNOUNCE_TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES, signal };
  const answers = await Promise.allSettled(trackers.map(async (url) => parseAnnounceAnswer(await get(announceUrl(url, announce), bounds))));
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value.peers : []));
}
