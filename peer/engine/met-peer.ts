/**
 * A peer that was met over another transport than TCP, with a stream that stands already. Only shapes.
 */
import type { Duplex } from "node:stream";
import type { InfoHash } from "../../torrents/ids.ts";

/** Whoever takes it ends its stream. */
export interface MetPeer {
  readonly stream: Duplex;
  /** Where its bytes come from, for people: nobody can dial it there. */
  readonly host: string;
  readonly port: number;
  /** It called us; else we called it. */
  readonly incoming: boolean;
  /** In whose swarm it was met. */
  readonly infoHash: InfoHash;
}

/** A peer that can be dialled, or one that was met. */
export type ReachablePeer = { readonly host: string; readonly port: number } | MetPeer;

/** Whether there is a stream to it already. */
export function isMet(peer: ReachablePeer): peer is MetPeer {
  return "stream" in peer;
}
