/**
 * An announce and what a tracker answers to it, whichever protocol carries them. Only shapes.
 */
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import type { HostLabels } from "../../torrents/task-api.ts";

export type AnnounceEvent = "started" | "completed" | "stopped";

export interface Announce {
  readonly infoHash: InfoHash;
  readonly peerId: PeerId;
  readonly port: number;
  readonly uploaded: number;
  readonly downloaded: number;
  readonly left: number;
  readonly numwant: number;
  readonly event?: AnnounceEvent;
  /** What this tracker gave the last time; HTTP only. */
  readonly trackerId?: string;
  /** For our tracker's choice of peers; others pass over them. */
  readonly labels?: HostLabels;
  /** Per cent of the upload that is unused. */
  readonly spare?: number;
}

/** Where a peer listens. */
export interface FoundPeer {
  readonly host: string;
  readonly port: number;
}

export interface AnnounceAnswer {
  readonly peers: readonly FoundPeer[];
  readonly intervalS: number | undefined;
  readonly minIntervalS: number | undefined;
  /** Complete and incomplete peers of the swarm, where the tracker tells. */
  readonly seeds?: number;
  readonly leeches?: number;
  /** To be sent with the next announce. */
  readonly trackerId?: string;
  /** The tracker's own words, beside an answer that counts. */
  readonly warning?: string;
  /** The tracker's own words for a refusal. */
  readonly failure: string | undefined;
  /** After a refusal: when to ask again (BEP 31); Infinity: never. */
  readonly retryInS?: number;
}

/** More peers of one answer are passed over. */
export const MOST_PEERS = 500;
/** Compact peers: address and port. */
export const V4_PEER_BYTES = 6;
export const V6_PEER_BYTES = 18;
