/**
 * Asks one tracker, whichever protocol its URL names. Drives. Bounded in time and in the length of the answer.
 * WebSocket trackers only know peers that speak WebRTC: where this host does not, they are unsupported, and shown so.
 */
import { SkimmerError } from "../../system/errors.ts";
import type { Announce, AnnounceAnswer } from "./announce.ts";
import { announceUrl, parseAnnounceAnswer } from "./announce-query.ts";
import type { HttpGet } from "./http-get.ts";
import { shownTracker } from "./shown-tracker.ts";
import { trackerScheme } from "./tracker-scheme.ts";
import type { UdpTrackers } from "./udp-tracker.ts";
import type { WebTrackers } from "./web-trackers.ts";

export interface TrackerClientOptions {
  readonly get: HttpGet;
  readonly udp: Pick<UdpTrackers, "announce">;
  /** Absent: this host does not speak WebRTC. */
  readonly web?: Pick<WebTrackers, "announce">;
}

const MAX_ANSWER_BYTES = 256 * 1024;

export class TrackerClient {
  readonly #options: TrackerClientOptions;

  constructor(options: TrackerClientOptions) {
    this.#options = options;
  }

  /** Resolves also where the tracker refuses (`failure`). Rejects with SkimmerError, or the reason of `signal`. */
  async announce(tracker: string, announce: Announce, options: { signal: AbortSignal; timeoutMs: number }): Promise<AnnounceAnswer> {
    const scheme = trackerScheme(tracker);
    if (scheme === "http") {
      const body = await this.#options.get(announceUrl(tracker, announce), { ...options, maxBytes: MAX_ANSWER_BYTES });
      return parseAnnounceAnswer(body);
    }
    const { udp, web } = this.#options;
    const asked = scheme === "udp" ? udp : scheme === "ws" ? web : undefined;
    if (asked === undefined) throw new SkimmerError("unsupported_scheme", `trackers like ${shownTracker(tracker)} are not supported`);
    const limit = AbortSignal.timeout(options.timeoutMs);
    try {
      return await asked.announce(tracker, announce, AbortSignal.any([options.signal, limit]));
    } catch (thrown) {
      if (!limit.aborted || options.signal.aborted) throw thrown;
      throw new SkimmerError("timeout", `the tracker did not answer within ${options.timeoutMs / 1000} s`, { retriable: true });
    }
  }
}
