/**
 * Where peers go that were met over WebRTC: the engine. Decides.
 */
import type { MetPeer } from "../engine/met-peer.ts";
import type { Engine } from "../engine/types.ts";
import type { WebTrackerOptions } from "./web-tracker.ts";

export function meetings(engine: Pick<Engine, "find" | "take">): Pick<WebTrackerOptions, "onPeer" | "isConnected"> {
  return {
    onPeer: (peer: MetPeer): void => engine.take(peer),
    isConnected: (infoHash, peerId) => engine.find(infoHash)?.peers.some((peer) => peer.peerId === peerId) ?? false,
  };
}
