/**
 * The options of dfdaemon about WebRTC, and their reading. Decides.
 */
import { type HostPort, parseHostPort } from "../../system/addresses.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { OptionSpec } from "../../system/options.ts";

export interface WebrtcSettings {
  /** Servers that tell this host how it looks from outside (RFC 8489). */
  readonly stun: readonly HostPort[];
}

const MOST_SERVERS = 5;

export const WEBRTC_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--webrtc",
    help: "use WebSocket trackers, and exchange data with browsers over WebRTC; needs the package node-datachannel, which webtorrent brings",
  },
  {
    flags: "--webrtc-stun <HOST:PORT,...>",
    help: "STUN servers to ask for this host's outside address, for peers beyond address translation; absent: none is asked",
    parse: (text, previous) => [...((previous as HostPort[] | undefined) ?? []), ...text.split(",").map(parseHostPort)],
  },
];

/** Undefined: WebRTC is off. Throws SkimmerError `bad_request`. */
export function readWebrtcSettings(options: Readonly<Record<string, unknown>>): WebrtcSettings | undefined {
  const stun = (options.webrtcStun as readonly HostPort[] | undefined) ?? [];
  if (stun.length > MOST_SERVERS) throw new SkimmerError("bad_request", `--webrtc-stun names more than ${MOST_SERVERS} servers`);
  if (options.webrtc === true) return { stun };
  if (stun.length > 0) throw new SkimmerError("bad_request", "--webrtc-stun is of no use without --webrtc", { hint: "Give both." });
  return undefined;
}
