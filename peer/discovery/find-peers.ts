/**
 * Peers of a torrent of which only its hash is known: every tracker is asked, and whoever else may know. Drives.
 * Bounded: at most MOST_TRACKERS trackers, MOST_PEERS peers, FIND_LIMIT_MS.
 */
import type { HostPort } from "../../system/addresses.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import type { ReachablePeer } from "../engine/met-peer.ts";
import { type FoundPeer, MOST_PEERS } from "./announce.ts";
import type { Place } from "./membership.ts";
import type { TrackerClient } from "./tracker-client.ts";
import { PLAIN_SCHEMES } from "./tracker-scheme.ts";
import { type Tiers, trackersOver } from "./tracker-tiers.ts";

export interface PeerWish {
  readonly infoHash: InfoHash;
  readonly trackers: Tiers;
  /** Some are known to begin with. */
  readonly hasPeers: boolean;
  readonly dhtNodes: readonly HostPort[];
}

export interface FindOptions {
  readonly client: Pick<TrackerClient, "announce">;
  readonly places: Promise<readonly Place[]>;
  readonly peerId: PeerId;
  readonly port: number;
  readonly signal: AbortSignal;
}

const MOST_TRACKERS = 20;
const ANNOUNCE_TIMEOUT_MS = 10_000;
const NUMWANT = 50;
/** Local network and DHT answer whenever they like. */
const FIND_LIMIT_MS = 60_000;

/** Batches of peers, each peer once. Ends early where there are only trackers and all of them answered. Never rejects. */
export async function* findPeers(wish: PeerWish, options: FindOptions): AsyncGenerator<ReachablePeer[]> {
  const limit = AbortSignal.any([options.signal, AbortSignal.timeout(FIND_LIMIT_MS)]);
  const known = new Set<string>();
  let batch: ReachablePeer[] = [];
  let wake = Promise.withResolvers<void>();
  const onPeers = (peers: readonly ReachablePeer[]): void => {
    for (const peer of peers) {
      const key = `${peer.host} ${peer.port}`;
      if (known.size < MOST_PEERS && !known.has(key)) batch.push(peer);
      known.add(key);
    }
    wake.resolve();
  };
  const onAbort = (): void => wake.resolve();
  limit.addEventListener("abort", onAbort, { once: true });
  using stack = new DisposableStack();
  stack.defer(() => limit.removeEventListener("abort", onAbort));
  const places = await options.places;
  for (const place of places) stack.use(place.join({ infoHash: wish.infoHash, hasPieces: () => false, onPeer: (peer) => onPeers([peer]) }));
  let done = false;
  const asking = askTrackers(wish, { ...options, signal: limit }, onPeers).finally(() => {
    done = places.length === 0;
    wake.resolve();
  });
  while (!limit.aborted && !(done && batch.length === 0)) {
    if (batch.length === 0) await wake.promise;
    wake = Promise.withResolvers();
    const ready = batch;
    batch = [];
    if (ready.length > 0) yield ready;
  }
  await asking;
}

async function askTrackers(wish: PeerWish, options: FindOptions, onPeers: (peers: readonly FoundPeer[]) => void): Promise<void> {
  const { client, peerId, port, signal } = options;
  const { infoHash } = wish;
  const announce = { infoHash, peerId, port, uploaded: 0, downloaded: 0, left: 1, numwant: NUMWANT };
  const trackers = trackersOver(PLAIN_SCHEMES, wish.trackers).flat();
  const asked = trackers
    .slice(0, MOST_TRACKERS)
    .map(async (url) => onPeers((await client.announce(url, announce, { signal, timeoutMs: ANNOUNCE_TIMEOUT_MS })).peers));
  await Promise.allSettled(asked);
}
