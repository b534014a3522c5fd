/**
 * What WebSocket trackers are for: calls from peer to peer, of which a tracker only passes on the descriptions. Only shapes; peer/webrtc/ has the calls.
 */
import type { MetPeer } from "../engine/met-peer.ts";

/** A channel to a peer that stands. */
export type OpenChannel = Pick<MetPeer, "stream" | "host" | "port">;

/** A call that waits for its answer; disposed of, it is given up. */
export interface RingingCall extends Disposable {
  readonly sdp: string;
  /** It was not given up, nor failed meanwhile. */
  readonly open: boolean;
  /** Throws SkimmerError `protocol`. */
  accept(sdp: string): void;
}

export interface WebCalls {
  /** Calls whoever gets the description; undefined: there are too many calls. `onFail`: it was answered, and no channel came of it. */
  offer(onOpen: (channel: OpenChannel) => void, onFail: () => void): Promise<RingingCall | undefined>;
  /** Answers such a call; undefined: there are too many. Rejects with SkimmerError `protocol`. */
  answer(sdp: string, onOpen: (channel: OpenChannel) => void): Promise<string | undefined>;
}
