/** By which protocol a tracker is asked. Decides. */

/** ws: it brings together peers that speak WebRTC, for hosts that do too. `other`: not by this host. */
export type TrackerScheme = "http" | "udp" | "ws" | "other";

/** Trackers that tell addresses to dial. */
export const PLAIN_SCHEMES: readonly TrackerScheme[] = ["http", "udp"];

export function trackerScheme(tracker: string): TrackerScheme {
  if (/^https?:\/\//i.test(tracker)) return "http";
  if (/^udp:\/\//i.test(tracker)) return "udp";
  return /^wss?:\/\//i.test(tracker) ? "ws" : "other";
}
