/**
 * Who may learn that this host has a task. Decides.
 *
 * A supernode's task whose content needs credentials is private: its info hash is all that one needs to join its swarm. Tasks that were
 * remembered before that was noted count as private.
 */
import { isCredential } from "../../origin/http-headers.ts";
import { hasUrlSecrets } from "../../torrents/shown-url.ts";
import type { Openness } from "../discovery/reach.ts";
import type { TaskEntry } from "./task-entry.ts";

export function opennessOf(entry: Pick<TaskEntry, "liveInfo" | "local" | "private" | "inPlace">): Openness {
  if (entry.liveInfo !== undefined || entry.local) return entry.private === false ? "task" : "private";
  if (entry.private === true) return "private";
  // files of this host are its user's to announce: like tasks, only where he says so
  return entry.inPlace === undefined ? "added" : "task";
}

/** True where a supernode made the torrent: not this host, nor somebody else. */
export function isSupernodes(entry: Pick<TaskEntry, "liveInfo" | "local"> | undefined): boolean {
  return entry?.liveInfo !== undefined && !entry.local;
}

/** Whether the request shows the origin who asks: the seeder's rule too. */
export function hasCredentials({ url, headers }: { url: string; headers: Readonly<Record<string, string>> }): boolean {
  return (URL.canParse(url) && hasUrlSecrets(url)) || Object.keys(headers).some(isCredential);
}
