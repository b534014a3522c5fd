/**
 * A download that began without a supernode looks for the swarm again while it reads the origin. Drives.
 * What came from the origin meanwhile goes along: same content, by the origin's own validators.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isSameContent } from "../../origin/same-content.ts";
import type { Torrent } from "../engine/types.ts";
import type { DownloadRequest } from "./daemon-api.ts";
import type { OpenTask, Planner } from "./download-plan.ts";
import { fillFromFile } from "./fill-from-file.ts";

const ASK_EVERY_MS = 3_000;

/** The swarm's task for the same content, as soon as a supernode gives one; undefined when `signal` aborts. Never rejects. */
export async function findSwarm(
  planner: Planner,
  options: { request: DownloadRequest; own: OpenTask; signal: AbortSignal },
): Promise<OpenTask | undefined> {
  const { request, own, signal } = options;
  while (!signal.aborted) {
    await sleep(ASK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return undefined;
    const task = await planner.planSwarm(request, signal).catch(() => undefined);
    if (task !== undefined && isSameContent(own.entry, task.entry)) return task;
  }
  return undefined;
}

/** Takes over what `from` has; answers how many bytes. Pieces of another length are left behind. */
export async function takeAlong(from: Torrent, to: Torrent, signal: AbortSignal): Promise<number> {
  if (from.geometry.pieceLengthBytes !== to.geometry.pieceLengthBytes || to.complete) return 0;
  return fillFromFile(to, from.dataPath, { signal, wanted: (index) => from.has(index) });
}
