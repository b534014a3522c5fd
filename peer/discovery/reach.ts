/**
 * Whose torrents are told of beyond their trackers, on the local network and in the DHT. Decides.
 * Private ones never are: BEP 27 for those that say so themselves, and for content that needs credentials, whose info hash is its key.
 */

/** off: none. added: torrents of others, as any torrent client does. on: public tasks of the supernodes as well. */
export type Reach = "off" | "added" | "on";

export const REACHES: readonly Reach[] = ["off", "added", "on"];

/** private: only its trackers may know. task: public content of a supernode, or of this host. added: somebody else's torrent. */
export type Openness = "private" | "task" | "added";

/** Whether such a torrent is told of. */
export function reaches(reach: Reach, openness: Openness): boolean {
  if (openness === "private" || reach === "off") return false;
  return openness === "added" || reach === "on";
}
