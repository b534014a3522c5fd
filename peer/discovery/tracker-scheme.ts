/** By which protocol a tracker is asked. Decides. */

/** `other`: not by this host. WebSocket trackers only know peers that speak WebRTC. */
export function trackerScheme(tracker: string): "http" | "udp" | "other" {
  if (/^https?:\/\//i.test(tracker)) return "http";
  return /^udp:\/\//i.test(tracker) ? "udp" : "other";
}
