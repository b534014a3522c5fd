/**
 * The task that a download may go on with while no supernode answers: one of theirs that this host knows already, whose peers may be found
 * without them. Decides.
 *
 * Public content only: nobody can ask the origin whether this caller may have it. It may be older than the origin's, which is said.
 */
import type { TaskEntry } from "./task-entry.ts";
import { isSupernodes } from "./task-openness.ts";

export interface StoredWish {
  readonly originKey: string;
  readonly hasCredentials: boolean;
  /** Whether somebody who has it may be found. */
  readonly canFindPeers: (entry: TaskEntry) => boolean;
}

/** `entries`: the most recently used first. */
export function findStored(entries: readonly TaskEntry[], wish: StoredWish): TaskEntry | undefined {
  if (wish.hasCredentials) return undefined;
  const asked = entries.filter((entry) => entry.originKey === wish.originKey && entry.private === false && isSupernodes(entry));
  return asked.find((entry) => entry.complete || wish.canFindPeers(entry));
}
