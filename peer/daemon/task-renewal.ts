/**
 * A download to which nothing comes asks its supernode once more: the answer tells where a seeder is now, that the seeder
 * gave up, or what the origin says to it. Drives: one question at a time, with a growing pause in between.
 */

import type { ErrorCode } from "../../system/errors.ts";
import { SkimmerError, toSkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import type { Torrent } from "../engine/types.ts";
import type { DownloadRequest } from "./daemon-api.ts";
import type { OpenTask } from "./download-plan.ts";

/** Asks for the task again; undefined where no supernode helps just now. Rejects with what the origin says. */
export type Renew = (request: DownloadRequest, signal: AbortSignal) => Promise<OpenTask | undefined>;

/** Nothing has come for so long. */
export const QUIET_MS = 2_000;
const FIRST_PAUSE_MS = 2_000;
const MOST_PAUSE_MS = 15_000;
/** The origin said so through the seeder, or the request makes no sense: waiting for the swarm is in vain. */
const FINAL_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "origin_refused",
  "origin_not_found",
  "origin_changed",
  "digest_mismatch",
  "bad_request",
]);

export class TaskRenewal {
  readonly #options: { readonly torrent: Torrent; readonly renew: Renew; readonly logger: Logger };
  #asking: AbortController | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #nextMs = 0;
  /** Why the seeder has nothing, where it said so; undefined: nothing wrong is known. */
  error: SkimmerError | undefined;

  constructor(options: { torrent: Torrent; renew: Renew; logger: Logger }) {
    this.#options = options;
  }

  /** Asked a few times a second; `onHopeless` hears of an error that waiting does not mend. */
  check(facts: { quietMs: number; nowMs: number }, request: DownloadRequest, onHopeless: (error: SkimmerError) => void): void {
    if (facts.quietMs < QUIET_MS) {
      this.#pauseMs = FIRST_PAUSE_MS;
      return;
    }
    if (this.#asking !== undefined || facts.nowMs < this.#nextMs) return;
    this.#nextMs = facts.nowMs + this.#pauseMs;
    this.#pauseMs = Math.min(MOST_PAUSE_MS, this.#pauseMs * 2);
    void this.#ask(request, onHopeless);
  }

  stop(): void {
    this.#asking?.abort();
    this.#asking = undefined;
  }

  async #ask(request: DownloadRequest, onHopeless: (error: SkimmerError) => void): Promise<void> {
    const asking = new AbortController();
    this.#asking = asking;
    const { torrent, renew, logger } = this.#options;
    try {
      const task = await renew(request, asking.signal);
      if (asking.signal.aborted || task === undefined) return;
      this.error = undefined;
      if (task.entry.infoHash !== torrent.infoHash) return onHopeless(otherVersion());
      torrent.addPeers(task.peers);
    } catch (thrown) {
      if (asking.signal.aborted) return;
      this.error = toSkimmerError(thrown);
      logger.info({ infoHash: torrent.infoHash, code: this.error.code }, "the supernode has no way to go on");
      if (FINAL_CODES.has(this.error.code)) onHopeless(this.error);
    } finally {
      if (this.#asking === asking) this.#asking = undefined;
    }
  }
}

function otherVersion(): SkimmerError {
  return new SkimmerError("origin_changed", "the origin has another version than the one that this download began with", {
    hint: "Run the command again.",
  });
}
