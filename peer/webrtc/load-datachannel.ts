/**
 * The package node-datachannel, which is not installed with Skimmer: it is a native module. It comes with webtorrent. Loaded only where it is wanted.
 */
import { SkimmerError } from "../../system/errors.ts";

/** What we use of it. */
export type DataChannels = Pick<typeof import("node-datachannel"), "PeerConnection">;

/** Rejects with SkimmerError `bad_request` where it, or its binary, is not installed. */
export async function loadDataChannels(load: () => Promise<DataChannels> = () => import("node-datachannel")): Promise<DataChannels> {
  try {
    return await load();
  } catch (cause) {
    throw new SkimmerError(
      "bad_request",
      `WebRTC cannot be used: the package node-datachannel cannot be loaded: ${(cause as Error).message}`,
      {
        hint: "Install it, or webtorrent 3, which brings it, with npm beside Skimmer (docs/browser-peers.md says how), or leave --webrtc out.",
        cause,
      },
    );
  }
}
