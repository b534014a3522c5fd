/**
 * Announces one torrent to its trackers, under each of its info hashes, and brings the peers that it learns of. Drives.
 *
 * Trackers are asked in order until one answers (BEP 12, one tier). A torrent that becomes final joins its v1 and v2
 * swarms too. When it announces is decided in announce-plan.ts. Every announce is bounded in time; failures only delay.
 */
import type { Logger } from "../../system/logger.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import type { HostLabels } from "../../torrents/task-api.ts";
import type { Torrent } from "../engine/types.ts";
import { nextAnnounceMs } from "./announce-plan.ts";
import { type AnnounceEvent, announceUrl, parseAnnounceAnswer } from "./announce-query.ts";
import type { HttpGet } from "./http-get.ts";

export interface AnnouncerOptions {
  readonly torrent: Torrent;
  readonly trackers: readonly string[];
  readonly peerId: PeerId;
  readonly port: number;
  /** True while the download wants more peers than it has. */
  readonly starving: () => boolean;
  /** False: peers are not asked for, only told of us. */
  readonly sociable: () => boolean;
  readonly labels: HostLabels;
  /** Per cent of this host's upload that is unused; undefined: not known. */
  readonly spare: () => number | undefined;
  readonly get: HttpGet;
  readonly random: () => number;
  readonly logger: Logger;
}

interface Swarm {
  readonly infoHash: InfoHash;
  timer: NodeJS.Timeout | undefined;
  /** True once a tracker knows of us. */
  started: boolean;
  /** True once `completed` was told, or was never to be told (complete from the start). */
  completed: boolean;
  failures: number;
  /** Position in the list of the tracker that answered last. */
  tracker: number;
  intervalS: number | undefined;
  minIntervalS: number | undefined;
  busy: boolean;
  again: boolean;
}

const ANNOUNCE_TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const NUMWANT = 50;

export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #swarms = new Map<InfoHash, Swarm>();
  readonly #trackers: readonly string[];
  readonly #stopping = new AbortController();

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#trackers = options.trackers.filter((url) => /^https?:\/\//i.test(url));
  }

  /** Begins to announce. */
  start(): void {
    this.#options.torrent.on("final", this.#joinSwarms);
    this.#options.torrent.on("complete", this.#announceAll);
    this.#joinSwarms();
  }

  /** Announces soon in every swarm: the download lacks peers. */
  hurry(): void {
    for (const swarm of this.#swarms.values()) if (swarm.failures === 0) this.#schedule(swarm);
  }

  /** Tells the trackers `stopped`, until `signal` ends the patience. */
  async stop(signal: AbortSignal): Promise<void> {
    this.#options.torrent.off("final", this.#joinSwarms);
    this.#options.torrent.off("complete", this.#announceAll);
    this.#stopping.abort();
    const swarms = [...this.#swarms.values()];
    this.#swarms.clear();
    for (const swarm of swarms) clearTimeout(swarm.timer);
    await Promise.all(
      swarms.filter((swarm) => swarm.started).map((swarm) => this.#ask({ swarm, event: "stopped", signal }).catch(() => undefined)),
    );
  }

  readonly #joinSwarms = (): void => {
    const { live, v1, v2 } = this.#options.torrent.infoHashes;
    for (const infoHash of [live, v1, v2]) {
      if (infoHash === undefined || this.#swarms.has(infoHash)) continue;
      const completed = this.#options.torrent.complete;
      const swarm: Swarm = {
        infoHash,
        timer: undefined,
        started: false,
        completed,
        failures: 0,
        tracker: 0,
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
  };

  #schedule(swarm: Swarm): void {
    clearTimeout(swarm.timer);
    if (this.#stopping.signal.aborted) return;
    const { starving, random } = this.#options;
    const delayMs = nextAnnounceMs({ ...swarm, starving: starving(), random: random() });
    swarm.timer = setTimeout(() => void this.#announce(swarm), delayMs);
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
    const complete = this.#options.torrent.complete;
    const event = !swarm.started ? "started" : complete && !swarm.completed ? "completed" : undefined;
    try {
      await this.#ask({ swarm, event, signal: this.#stopping.signal });
      swarm.failures = 0;
      if (event === "completed") swarm.completed = true;
      swarm.started = true;
    } catch (thrown) {
      swarm.failures++;
      if (!this.#stopping.signal.aborted)
        this.#options.logger.debug({ err: thrown, infoHash: swarm.infoHash, failures: swarm.failures }, "announce failed");
    }
    swarm.busy = false;
    const again = swarm.again;
    swarm.again = false;
    if (again && swarm.failures === 0 && !this.#stopping.signal.aborted) void this.#announce(swarm);
    else this.#schedule(swarm);
  }

  /** Asks the trackers in turn, beginning with the one that answered last. Rejects where none answers. */
  async #ask(input: { swarm: Swarm; event: AnnounceEvent | undefined; signal: AbortSignal }): Promise<void> {
    const { swarm, event, signal } = input;
    let failure: unknown;
    for (let step = 0; step < this.#trackers.length; step++) {
      const at = (swarm.tracker + step) % this.#trackers.length;
      try {
        await this.#askOne({ tracker: this.#trackers[at], swarm, event, signal });
        swarm.tracker = at;
        return;
      } catch (thrown) {
        failure = thrown;
        if (signal.aborted) break;
      }
    }
    if (failure !== undefined) throw failure;
  }

  async #askOne(input: { tracker: string; swarm: Swarm; event: AnnounceEvent | undefined; signal: AbortSignal }): Promise<void> {
    const { torrent, peerId, port, get } = this.#options;
    const { stats, complete } = torrent;
    const wants = !complete && input.event !== "stopped" && this.#options.sociable();
    const url = announceUrl(input.tracker, {
      infoHash: input.swarm.infoHash,
      peerId,
      port,
      uploaded: stats.uploadedBytes,
      downloaded: stats.from.seeder + stats.from.peers,
      left: complete ? 0 : Math.max(1, torrent.geometry.lengthBytes - stats.bytesHave),
      numwant: wants ? NUMWANT : 0,
      event: input.event,
      labels: this.#options.labels,
      spare: this.#options.spare(),
    });
    const answer = parseAnnounceAnswer(
      await get(url, { timeoutMs: ANNOUNCE_TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES, signal: input.signal }),
    );
    if (answer.failure !== undefined) throw new Error(`tracker refuses: ${answer.failure}`);
    input.swarm.intervalS = answer.intervalS;
    input.swarm.minIntervalS = answer.minIntervalS;
    if (wants && answer.peers.length > 0) torrent.addPeers(answer.peers, input.swarm.infoHash);
  }
}
