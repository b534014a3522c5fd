/**
 * Opens how the daemon finds peers, with the real clock, network and randomness. Drives.
 */
import { realClock } from "../../system/clock.ts";
import { Discovery, type DiscoveryOptions, type DiscoverySettings } from "../discovery/discovery.ts";
import { httpGet } from "../discovery/http-get.ts";
import { readSupernode } from "./check-request.ts";
import type { TaskEntry } from "./task-entry.ts";
import { opennessOf } from "./task-openness.ts";

/** Trackers only. */
const QUIET: DiscoverySettings = { lsd: "off", dht: "off", dhtBootstrap: [] };

export function openDiscovery(
  options: Omit<DiscoveryOptions, keyof DiscoverySettings | "get" | "clock" | "random"> & { settings: DiscoverySettings | undefined },
): Discovery {
  const { settings = QUIET, supernodes: weighted, ...others } = options;
  const supernodes = weighted.map((supernode) => readSupernode(supernode).url);
  return new Discovery({ ...others, ...settings, supernodes, get: httpGet, clock: realClock, random: Math.random });
}

/** Whether somebody who has the task may be found while no supernode answers. */
export function canFindPeers(discovery: Pick<Discovery, "worksWithoutTrackers">, entry: TaskEntry): boolean {
  return (entry.knownPeers ?? []).length > 0 || discovery.worksWithoutTrackers(opennessOf(entry));
}
