/**
 * Announces one torrent to its trackers, under each of its info hashes, and brings the peers that it learns of. Drives.
 *
 * A torrent that becomes final joins its v1 and v2 swarms too. Whom to ask is decided in tracker-tiers.ts, when in announce-plan.ts.
 * The next tracker is asked when one fails, or is slow. Every announce is bounded in time; failures only delay.
 */
import type { Clock } from "../../system/clock.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import type { HostLabels } from "../../torrents/task-api.ts";
import type { Torrent } from "../engine/types.ts";
import type { AnnounceAnswer, AnnounceEvent } from "./announce.ts";
import { nextAnnounceMs } from "./announce-plan.ts";
import { firstToSucceed } from "./first-to-succeed.ts";
import { trackerHost } from "./shown-tracker.ts";
import type { TrackerClient } from "./tracker-client.ts";
import type { TrackerScheme } from "./tracker-scheme.ts";
import { type Tiers, type TrackerState, type TrackerStatus, TrackerTiers } from "./tracker-tiers.ts";

export interface AnnouncerOptions {
  readonly torrent: Torrent;
  readonly trackers: Tiers;
  /** By which of them it asks; default: all but WebSockets. */
  readonly schemes?: readonly TrackerScheme[];
  /** The swarms to be in, looked at again when the torrent becomes final, and complete; default: those of all of its hashes. */
  readonly swarms?: (torrent: Torrent) => readonly (InfoHash | undefined)[];
  readonly peerId: PeerId;
  readonly port: number;
  /** True while the download wants more peers than it has. */
  readonly starving: () => boolean;
  /** False: peers are not asked for, only told of us. */
  readonly sociable: () => boolean;
  readonly labels: HostLabels;
  /** Per cent of this host's upload that is unused; undefined: not known. */
  readonly spare: () => number | undefined;
  /** How long a failing tracker rests at most, how often a starving download asks, and how long an announce may take. */
  readonly pace: { readonly mostRestMs: number; readonly starvingIntervalMs: number; readonly timeoutMs: number };
  readonly client: Pick<TrackerClient, "announce">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/** What a change of the trackers may change. */
export type AnnouncePart = Pick<AnnouncerOptions, "trackers" | "labels" | "spare" | "pace">;

interface Swarm {
  readonly infoHash: InfoHash;
  readonly trackers: TrackerTiers;
  timer: NodeJS.Timeout | undefined;
  /** Of the last answer. */
  intervalS: number | undefined;
  minIntervalS: number | undefined;
  busy: boolean;
  again: boolean;
}

/** A tracker that took this long may be away: the next one is asked as well. */
const SLOW_MS = 3_000;
const NUMWANT = 50;
/** Trackers may ask for longer rests (BEP 31); Node makes a timer beyond 2^31 ms one of 1 ms. */
const MOST_DELAY_MS = 24 * 3_600_000;

export class Announcer {
  #options: AnnouncerOptions;
  readonly #swarms = new Map<InfoHash, Swarm>();
  readonly #stopping = new AbortController();

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Begins to announce. */
  start(): void {
    this.#options.torrent.on("final", this.#joinSwarms);
    this.#options.torrent.on("complete", this.#announceAll);
    this.#joinSwarms();
  }

  /** Announces soon in every swarm: the download lacks peers. */
  hurry(): void {
    for (const swarm of this.#swarms.values()) if (!swarm.busy) this.#schedule(swarm, true);
  }

  /**
   * Other trackers, from now on: of the new ones, one is asked at once, whoever answers already; those that are no more are told so. What a tracker
   * said that stays is kept.
   */
  change(part: AnnouncePart): void {
    this.#options = { ...this.#options, ...part };
    const { torrent } = this.#options;
    const { signal } = this.#stopping;
    for (const swarm of this.#swarms.values()) {
      const { added, gone } = swarm.trackers.replace(part.trackers, { wasComplete: torrent.complete });
      for (const tracker of gone.filter(({ known }) => known))
        void this.#announceAt({ tracker, swarm, event: "stopped", signal }).catch(() => undefined);
      if (added.length > 0) void this.#askAdded(swarm, added);
    }
  }

  /** How each tracker fares; of the swarm that was joined first. */
  get trackers(): TrackerStatus[] {
    const [first] = this.#swarms.values();
    return first?.trackers.status ?? [];
  }

  /** Tells the trackers `stopped`, until `signal` ends the patience. */
  async stop(signal: AbortSignal): Promise<void> {
    this.#options.torrent.off("final", this.#joinSwarms);
    this.#options.torrent.off("complete", this.#announceAll);
    this.#stopping.abort();
    const swarms = [...this.#swarms.values()];
    this.#swarms.clear();
    for (const swarm of swarms) clearTimeout(swarm.timer);
    const told = swarms.flatMap((swarm) =>
      swarm.trackers.all.filter(({ known }) => known).map((tracker) => this.#announceAt({ tracker, swarm, event: "stopped", signal })),
    );
    await Promise.allSettled(told);
  }

  readonly #joinSwarms = (): void => {
    const { torrent, trackers, schemes, swarms = allSwarms, random, pace } = this.#options;
    for (const infoHash of swarms(torrent)) {
      if (infoHash === undefined || this.#swarms.has(infoHash)) continue;
      const swarm: Swarm = {
        infoHash,
        trackers: new TrackerTiers(trackers, { random, schemes, mostRestMs: pace.mostRestMs, wasComplete: torrent.complete }),
        timer: undefined,
        intervalS: undefined,
        minIntervalS: undefined,
        busy: false,
        again: false,
      };
      this.#swarms.set(infoHash, swarm);
      void this.#announce(swarm);
    }
  };

  readonly #announceAll = (): void => {
    for (const swarm of this.#swarms.values()) void this.#announce(swarm);
    this.#joinSwarms();
  };

  #schedule(swarm: Swarm, answered: boolean): void {
    clearTimeout(swarm.timer);
    if (this.#stopping.signal.aborted) return;
    const { starving, random, pace, clock } = this.#options;
    const restMs = swarm.trackers.nextDueMs(clock.nowMs());
    if (restMs === Number.POSITIVE_INFINITY) return;
    const { starvingIntervalMs } = pace;
    const delayMs = answered ? nextAnnounceMs({ ...swarm, starving: starving(), starvingIntervalMs, random: random() }) : restMs;
    swarm.timer = setTimeout(() => void this.#announce(swarm), Math.min(MOST_DELAY_MS, Math.max(delayMs, answered ? 0 : 1)));
    swarm.timer.unref();
  }

  /** One announce of a swarm at a time; another one asked for meanwhile follows. Never rejects. */
  async #announce(swarm: Swarm): Promise<void> {
    if (swarm.busy) {
      swarm.again = true;
      return;
    }
    swarm.busy = true;
    clearTimeout(swarm.timer);
    const answered = await this.#askInTurn(swarm, swarm.trackers.due(this.#options.clock.nowMs()));
    swarm.busy = false;
    const again = swarm.again;
    swarm.again = false;
    if (again && answered && !this.#stopping.signal.aborted) void this.#announce(swarm);
    else this.#schedule(swarm, answered);
  }

  /** Never rejects. */
  async #askAdded(swarm: Swarm, added: readonly TrackerState[]): Promise<void> {
    const isIdle = swarm.trackers.all.length === added.length;
    const answered = await this.#askInTurn(swarm, added);
    // what is due else has its own timer, unless these are all
    if (!swarm.busy && (answered || isIdle)) this.#schedule(swarm, answered);
  }

  /** Asks these trackers, the best first; false where none answers. */
  async #askInTurn(swarm: Swarm, due: readonly TrackerState[]): Promise<boolean> {
    const { logger } = this.#options;
    if (due.length === 0) return false;
    const { signal } = this.#stopping;
    const attempts = due.map((tracker) => (inner: AbortSignal) => this.#askOne(swarm, tracker, inner));
    try {
      const answer = await firstToSucceed(attempts, { staggerMs: SLOW_MS, signal });
      swarm.intervalS = answer.intervalS;
      swarm.minIntervalS = answer.minIntervalS;
      return true;
    } catch (thrown) {
      if (!signal.aborted) logger.debug({ err: thrown, infoHash: swarm.infoHash, trackers: due.length }, "announce failed");
      return false;
    }
  }

  /** One tracker's regular announce, with what follows from its answer. */
  async #askOne(swarm: Swarm, tracker: TrackerState, signal: AbortSignal): Promise<AnnounceAnswer> {
    const { torrent, clock, random, logger } = this.#options;
    const complete = torrent.complete;
    const event = !tracker.known ? "started" : complete && !tracker.toldComplete ? "completed" : undefined;
    let retryInS: number | undefined;
    try {
      const answer = await this.#announceAt({ tracker, swarm, event, signal });
      retryInS = answer.retryInS;
      if (!swarm.trackers.has(tracker)) throw new SkimmerError("cancelled", "the tracker is none of the torrent's any more");
      if (answer.failure !== undefined) throw new SkimmerError("protocol", `the tracker refuses: ${answer.failure}`);
      if (answer.warning !== undefined && answer.warning !== tracker.last?.warning)
        logger.warn({ tracker: trackerHost(tracker.url), warning: answer.warning }, "a tracker warns");
      swarm.trackers.onAnswer(tracker, answer);
      if (event === "completed") tracker.toldComplete = true;
      if (answer.peers.length > 0 && !torrent.complete && this.#options.sociable()) torrent.addPeers(answer.peers, swarm.infoHash);
      return answer;
    } catch (thrown) {
      // another one was faster, or everything ends: that says nothing of this one
      if (!signal.aborted)
        swarm.trackers.onFailure(tracker, { problem: (thrown as Error).message, retryInS, nowMs: clock.nowMs(), random: random() });
      throw thrown;
    }
  }

  #announceAt(input: {
    tracker: TrackerState;
    swarm: Swarm;
    event: AnnounceEvent | undefined;
    signal: AbortSignal;
  }): Promise<AnnounceAnswer> {
    const { torrent, peerId, port, client, labels, spare, sociable, pace } = this.#options;
    const { stats, complete } = torrent;
    const { tracker, swarm, event, signal } = input;
    const announce = {
      infoHash: swarm.infoHash,
      peerId,
      port,
      uploaded: stats.uploadedBytes,
      downloaded: stats.from.seeder + stats.from.peers,
      left: complete ? 0 : Math.max(1, torrent.geometry.lengthBytes - stats.bytesHave),
      numwant: !complete && event !== "stopped" && sociable() ? NUMWANT : 0,
      event,
      trackerId: tracker.trackerId,
      labels,
      spare: spare(),
    };
    return client.announce(tracker.url, announce, { signal, timeoutMs: pace.timeoutMs });
  }
}

function allSwarms({ infoHashes: { live, v1, v2 } }: Torrent): readonly (InfoHash | undefined)[] {
  return [live, v1, v2];
}
