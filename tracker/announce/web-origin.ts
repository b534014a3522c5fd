/**
 * Which pages may use the WebSocket tracker. Decides.
 *
 * Browsers send any page's WebSocket here, from inside the network, so a page of the internet that somebody looks at could join our swarms.
 * What is no browser sends no Origin.
 */
import type { IncomingHttpHeaders } from "node:http";

/** Whether the page is this supernode's own: the host that it is from is the one that it calls. */
export function isOwnPage({ origin, host }: Pick<IncomingHttpHeaders, "origin" | "host">): boolean {
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}
