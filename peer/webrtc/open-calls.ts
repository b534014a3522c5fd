/**
 * Opens the WebRTC side of a process, on the addresses that its peer port is on. Drives.
 */
import { formatHostPort, type HostPort } from "../../system/addresses.ts";
import { CallDesk } from "./call-desk.ts";
import { loadDataChannels } from "./load-datachannel.ts";

/** All addresses of the host. */
const ANY: readonly string[] = ["0.0.0.0", "::"];

/** `stun`: servers that tell the address of this host outside. Rejects with SkimmerError `bad_request` where the native package is not installed. */
export async function openCalls({ host }: { host: string }, { stun }: { stun: readonly HostPort[] }): Promise<CallDesk> {
  const bindAddress = ANY.includes(host) ? undefined : host;
  return new CallDesk({
    channels: await loadDataChannels(),
    bindAddress,
    iceServers: stun.map((server) => `stun:${formatHostPort(server)}`),
  });
}
