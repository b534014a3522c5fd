/**
 * Opens the WebRTC side of the daemon, on the addresses that its peer port is on. Drives.
 */
import { formatHostPort } from "../../system/addresses.ts";
import { CallDesk } from "../webrtc/call-desk.ts";
import { loadDataChannels } from "../webrtc/load-datachannel.ts";
import type { WebrtcSettings } from "./webrtc-options.ts";

/** All addresses of the host. */
const ANY: readonly string[] = ["0.0.0.0", "::"];

/** Rejects with SkimmerError `bad_request` where the native package is not installed. */
export async function openCalls({ host }: { host: string }, { stun }: WebrtcSettings): Promise<CallDesk> {
  const bindAddress = ANY.includes(host) ? undefined : host;
  return new CallDesk({
    channels: await loadDataChannels(),
    bindAddress,
    iceServers: stun.map((server) => `stun:${formatHostPort(server)}`),
  });
}
