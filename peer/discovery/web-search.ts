/**
 * WebSocket trackers as a place where the peers of a hash are looked for, for as long as only the hash is known. Drives.
 * It asks under an id of its own: a peer that we meet again for the download shall not take that for a second connection.
 */
import type { Clock } from "../../system/clock.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import type { FoundPeer } from "./announce.ts";
import type { Place } from "./membership.ts";
import type { WebCalls } from "./web-calls.ts";
import { WebTrackers } from "./web-trackers.ts";

export interface WebSearchOptions {
  readonly trackers: readonly string[];
  readonly peerId: PeerId;
  readonly calls: WebCalls;
  readonly clock: Clock;
  readonly random: () => number;
}

const MOST_TRACKERS = 5;
const ANNOUNCE_LIMIT_MS = 10_000;
/** Calls that nobody answered are over by then. */
const AGAIN_AFTER_MS = 20_000;
const NUMWANT = 5;

/** The place; what it opened ends with the search. */
export function webSearch(options: WebSearchOptions): Place {
  return { join: ({ infoHash, onPeer }) => search(infoHash, { ...options, onPeer }) };
}

function search(infoHash: InfoHash, options: WebSearchOptions & { onPeer: (peer: FoundPeer) => void }): Disposable & { hurry(): void } {
  const { peerId, onPeer } = options;
  const ended = new AbortController();
  const web = new WebTrackers({
    ...options,
    isConnected: () => false,
    onPeer: (peer) => {
      ended.signal.addEventListener("abort", () => peer.stream.destroy(), { once: true });
      if (ended.signal.aborted) peer.stream.destroy();
      else onPeer(peer);
    },
  });
  const announce = { infoHash, peerId, port: 0, uploaded: 0, downloaded: 0, left: 1, numwant: NUMWANT, event: "started" } as const;
  const askAll = (): void => {
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(ANNOUNCE_LIMIT_MS)]);
    for (const tracker of options.trackers.slice(0, MOST_TRACKERS)) web.announce(tracker, announce, signal).catch(() => undefined);
  };
  askAll();
  const timer = setInterval(askAll, AGAIN_AFTER_MS);
  return {
    hurry: () => undefined,
    [Symbol.dispose]: () => {
      clearInterval(timer);
      ended.abort();
      web[Symbol.dispose]();
    },
  };
}
