/**
 * The info dict of a torrent of which only the hash is known: peers from wherever they can be found, the dict from peers (BEP 9). Drives.
 * A few peers are asked at a time, while more are looked for; the first that has it ends the search.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SkimmerError } from "../../system/errors.ts";
import type { Discovery } from "../discovery/discovery.ts";
import { areWebOnly, NEEDS_WEBRTC } from "../discovery/tracker-tiers.ts";
import type { ReachablePeer } from "../engine/met-peer.ts";
import type { Engine } from "../engine/types.ts";
import { readInfo, readPeer, type TorrentInfos, type TorrentSource } from "./torrent-source.ts";

const MOST_AT_ONCE = 8;
/** Peers that the link itself names are asked again: they may be starting, or full for a moment. */
const NAMED_TRIES = 3;
const AGAIN_AFTER_MS = 2000;

/** Rejects with SkimmerError `no_progress` where nobody has it, or the reason of `signal`. */
export async function fetchTorrentInfo(
  source: TorrentSource,
  options: { engine: Engine; discovery: Pick<Discovery, "find" | "webrtc">; signal: AbortSignal },
): Promise<TorrentInfos> {
  const { engine, discovery, signal } = options;
  const [infoHash] = source.hashes;
  const found = new AbortController();
  const both = AbortSignal.any([signal, found.signal]);
  const asking = new Set<Promise<void>>();
  let info: Buffer | undefined;
  let known = 0;
  const askUpTo = async (tries: number, peer: ReachablePeer): Promise<void> => {
    for (let left = tries; left > 0 && !both.aborted; left--) {
      const got = await engine.fetchInfo(infoHash, [peer], { signal: both }).catch(() => undefined);
      if (got !== undefined) {
        info ??= got;
        return found.abort();
      }
      if (left > 1) await sleep(AGAIN_AFTER_MS, undefined, { signal: both }).catch(() => undefined);
    }
  };
  const ask = (peer: ReachablePeer, tries: number): void => {
    known++;
    const asked = askUpTo(tries, peer);
    asking.add(asked);
    void asked.then(() => asking.delete(asked));
  };
  const hasPeers = source.peers.length > 0;
  const wish = { infoHash, trackers: source.trackers, hasPeers, dhtNodes: (source.dhtNodes ?? []).flatMap(readPeer) };
  for await (const peers of startingWith<readonly ReachablePeer[]>(source.peers, discovery.find(wish, both))) {
    const tries = peers === source.peers ? NAMED_TRIES : 1;
    for (const peer of peers) {
      if (asking.size >= MOST_AT_ONCE) await Promise.race(asking);
      if (!both.aborted) ask(peer, tries);
    }
  }
  await Promise.all(asking);
  signal.throwIfAborted();
  if (info !== undefined) return readInfo(info);
  throw known === 0 ? nobody(source, discovery.webrtc) : new SkimmerError("no_progress", `no peer gave the metadata of ${infoHash}`, RETRY);
}

async function* startingWith<T>(first: T, others: AsyncIterable<T>): AsyncGenerator<T> {
  yield first;
  yield* others;
}

const RETRY = { retriable: true, hint: "Try again when more peers are there." };

function nobody({ hashes: [infoHash], trackers }: TorrentSource, webrtc: boolean): SkimmerError {
  const webOnly = !webrtc && areWebOnly(trackers);
  return new SkimmerError("no_progress", `no peer of ${infoHash} is known`, {
    hint: webOnly ? `Note that ${NEEDS_WEBRTC}.` : "Use the .torrent file, or a magnet link with trackers (tr=) or peers (x.pe=HOST:PORT).",
    retriable: true,
  });
}
