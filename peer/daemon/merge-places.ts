/** Where a torrent may be found, from what is remembered and what was given now. Decides. */
import type { Tiers } from "../discovery/tracker-tiers.ts";
import type { TaskEntry } from "./task-entry.ts";

/** The fields of a task that say where it may be found. */
export type Places = Pick<TaskEntry, "trackers" | "webSeeds" | "dhtNodes">;

/** As many as task.json takes. */
const MOST = 100;

/**
 * What is new comes after what is known, up to 100 of each. The trackers of a private torrent are replaced where others
 * are given: its peers must not hear of each other through the wrong one (BEP 27).
 */
export function mergePlaces(known: Places & Pick<TaskEntry, "private">, given: Places): Places {
  const replaces = known.private === true && given.trackers.length > 0;
  return {
    trackers: replaces ? given.trackers : mergeTiers(known.trackers, given.trackers),
    webSeeds: mergeTexts(known.webSeeds, given.webSeeds),
    dhtNodes: mergeTexts(known.dhtNodes, given.dhtNodes),
  };
}

function mergeTiers(known: Tiers, given: Tiers): Tiers {
  const seen = new Set(known.flat());
  const added = given.map((tier) => [tier].flat().filter((url) => !seen.has(url))).filter((tier) => tier.length > 0);
  return [...known, ...added].slice(0, MOST);
}

function mergeTexts(known: readonly string[] | undefined, given: readonly string[] | undefined): readonly string[] | undefined {
  if (known === undefined || given === undefined) return known ?? given;
  return [...new Set([...known, ...given])].slice(0, MOST);
}
