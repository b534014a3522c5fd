/**
 * What of a tracker's address may be shown. Decides.
 * Trackers of closed communities know their members by a key in the path or the query: who has it acts in the member's name.
 */

/** Scheme, host, port, and of the path the word `announce` only; `…` stands for what is left out. */
export function shownTracker(tracker: string): string {
  const url = URL.parse(tracker);
  if (url === null) return "(malformed URL)";
  const parts = url.pathname.split("/").filter((part) => part !== "");
  const path = parts.map((part) => (/^announce(\.php)?$/i.test(part) ? `/${part}` : "/…"));
  return `${url.protocol}//${url.host}${path.join("")}${url.search === "" ? "" : "?…"}`;
}

/** Host and port, for the log. */
export function trackerHost(tracker: string): string {
  return URL.parse(tracker)?.host ?? "(malformed URL)";
}
