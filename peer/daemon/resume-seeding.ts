/**
 * After a start: what the store has complete is opened and announced again, the most recently used first. Drives.
 * Bounded: at most MOST torrents, one after the other; what nobody else can ask for (no trackers, not pinned, not somebody else's torrent) is
 * left closed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../../system/logger.ts";
import type { OpenRuns } from "./open-runs.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { TaskIndex } from "./task-index.ts";
import { opennessOf } from "./task-openness.ts";

const MOST = 200;
/** Whoever had the daemon started comes first. */
const BEGIN_AFTER_MS = 1_000;

/** Resolves when all are open, or `signal` aborts. Never rejects. */
export async function resumeSeeding(options: { index: TaskIndex; runs: OpenRuns; logger: Logger; signal: AbortSignal }): Promise<void> {
  const { index, runs, logger, signal } = options;
  await sleep(BEGIN_AFTER_MS, undefined, { signal }).catch(() => undefined);
  const isWanted = (entry: TaskEntry): boolean => entry.trackers.length > 0 || entry.pinned === true || opennessOf(entry) === "added";
  const wanted = index.list().filter((entry) => entry.complete && isWanted(entry));
  for (const { infoHash } of wanted.slice(0, MOST)) {
    if (signal.aborted) return;
    // as it is by now
    const entry = index.get(infoHash);
    if (entry === undefined || runs.get(infoHash) !== undefined) continue;
    try {
      await using _ = await runs.open({ entry, peers: [], final: undefined, alone: undefined, seedersOnly: false });
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error, infoHash }, "a stored task could not be opened again");
    }
  }
}
