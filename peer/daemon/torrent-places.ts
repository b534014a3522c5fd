/** Where a torrent's peers and its content are looked for, as the API shows it. Decides. */
import { bareUrl, shownUrl } from "../../torrents/shown-url.ts";
import type { Openness } from "../discovery/reach.ts";
import { shownTracker } from "../discovery/shown-tracker.ts";
import type { TorrentPlaces } from "./daemon-api.ts";
import type { TaskEntry } from "./task-entry.ts";
import { opennessOf } from "./task-openness.ts";

/** Ways to peers that need no tracker: whether this host takes them for such a torrent. */
export type WaysOf = (openness: Openness) => { readonly lsd: boolean; readonly dht: boolean };

/** Who looks. */
export interface Viewer {
  /** False: a member of the group, to whom others' URLs are shown without what their queries say. */
  readonly isOwner: boolean;
  /** What he knows anyway: where it is a task's URL, it is shown as it is. */
  readonly url?: string;
}

/** Keys of members, credentials and signatures are left out. */
export function placesOf(entry: TaskEntry, options: { waysOf: WaysOf; viewer: Viewer }): TorrentPlaces {
  const openness = opennessOf(entry);
  const seedUrl = options.viewer.isOwner ? shownUrl : bareUrl;
  return {
    trackerTiers: entry.trackers.map((tier) => [tier].flat().map(shownTracker)),
    webSeeds: (entry.webSeeds ?? []).map(seedUrl),
    private: openness === "private",
    ...options.waysOf(openness),
    dhtNodes: entry.dhtNodes ?? [],
  };
}

/** A task's URL, as far as this viewer may see it. */
export function urlFor(viewer: Viewer, url: string): string {
  return viewer.isOwner || viewer.url === url ? url : bareUrl(url);
}
