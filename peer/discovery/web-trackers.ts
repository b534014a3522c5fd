/**
 * Announces at WebSocket trackers, one connection to each. Drives.
 * Invariant: at most MOST_TRACKERS connections.
 */
import { SkimmerError } from "../../system/errors.ts";
import type { Announce, AnnounceAnswer } from "./announce.ts";
import { WebTracker, type WebTrackerOptions } from "./web-tracker.ts";

const MOST_TRACKERS = 50;

export class WebTrackers implements Disposable {
  readonly #options: WebTrackerOptions;
  readonly #trackers = new Map<string, WebTracker>();

  constructor(options: WebTrackerOptions) {
    this.#options = options;
  }

  /** Rejects with SkimmerError, or the reason of `signal`. Peers come through `onPeer`, whenever they do. */
  async announce(tracker: string, announce: Announce, signal: AbortSignal): Promise<AnnounceAnswer> {
    const known = this.#trackers.get(tracker) ?? this.#open(tracker);
    try {
      return await known.announce(announce, signal);
    } finally {
      if (known.idle && this.#trackers.get(tracker) === known) this.#trackers.delete(tracker);
    }
  }

  /** Leaves them all. */
  [Symbol.dispose](): void {
    for (const tracker of this.#trackers.values()) tracker[Symbol.dispose]();
    this.#trackers.clear();
  }

  #open(url: string): WebTracker {
    if (this.#trackers.size >= MOST_TRACKERS)
      throw new SkimmerError("busy", `${MOST_TRACKERS} WebSocket trackers are in use`, { retriable: true });
    const tracker = new WebTracker(url, this.#options);
    this.#trackers.set(url, tracker);
    return tracker;
  }
}
