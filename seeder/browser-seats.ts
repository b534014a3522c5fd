/**
 * Which torrents the seeder serves to browsers: those that the supernode calls it for, at whose WebSocket tracker it announces them for as long as
 * browsers take something. Their calls reach the engine past this file. Drives the announces.
 *
 * So the number of tasks costs nothing. It only answers calls: with calls of its own, both sides would dial each other and each give up the other's
 * connection. Invariant: at most MOST_SEATS torrents.
 */
import type { WebTrackers } from "../peer/discovery/web-trackers.ts";
import type { Torrent } from "../peer/engine/types.ts";
import type { Clock } from "../system/clock.ts";
import { SkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import type { InfoHash, PeerId } from "../torrents/ids.ts";
import { givesWay, isOver, MOST_SEATS } from "./seat-plan.ts";

const LOOK_MS = 5000;
const ANNOUNCE_LIMIT_MS = 10_000;
/** Where the tracker names none. */
const INTERVAL_S = 60;

/** What a seat asks of its torrent. */
export type SeatedTorrent = Pick<Torrent, "name" | "infoHash" | "infoHashes" | "complete" | "peers">;

export interface BrowserSeatsOptions {
  /** The supernode, as this process reaches it. */
  readonly supernode: string;
  readonly peerId: PeerId;
  readonly trackers: Pick<WebTrackers, "announce">;
  /** Whether the engine still has the torrent. */
  isHeld(torrent: SeatedTorrent): boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Seat {
  readonly torrent: SeatedTorrent;
  /** In the v1 swarm, the only one that browsers know. */
  readonly infoHash: InfoHash;
  usedMs: number;
  announceAtMs: number;
  /** Sent to the browsers that are connected, when it was looked at last. */
  uploadedBytes: number;
}

export class BrowserSeats implements Disposable {
  readonly #options: BrowserSeatsOptions;
  readonly #tracker: string;
  readonly #seats = new Map<SeatedTorrent, Seat>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: BrowserSeatsOptions) {
    this.#options = options;
    this.#tracker = new URL("/announce", options.supernode.replace(/^http/, "ws")).href;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Torrents that are served, and connections of browsers. */
  get figures(): { readonly torrents: number; readonly connections: number } {
    const connections = [...this.#seats.keys()].reduce((sum, torrent) => sum + browsersOf(torrent).length, 0);
    return { torrents: this.#seats.size, connections };
  }

  /** Serves the torrent to browsers from now on. Resolves when the tracker knows it; rejects with SkimmerError `not_final`, `busy`, or the tracker's. */
  async serve(torrent: SeatedTorrent): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const seat = this.#seats.get(torrent) ?? this.#sit(torrent, nowMs);
    seat.usedMs = nowMs;
    // each time: the supernode may have started anew
    await this.#announce(seat);
  }

  /** Ends the seats that are over, and announces the others again; runs by itself every few seconds. */
  look(): void {
    const { isHeld, clock } = this.#options;
    const nowMs = clock.nowMs();
    for (const seat of [...this.#seats.values()]) {
      const uploadedBytes = browsersOf(seat.torrent).reduce((sum, peer) => sum + peer.uploadedBytes, 0);
      if (uploadedBytes !== seat.uploadedBytes) seat.usedMs = nowMs;
      seat.uploadedBytes = uploadedBytes;
      if (isOver(facts(seat), nowMs) || !isHeld(seat.torrent)) this.#leave(seat);
      else if (nowMs >= seat.announceAtMs) this.#announce(seat).catch(this.#note(seat));
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const seat of [...this.#seats.values()]) this.#leave(seat);
  }

  #sit(torrent: SeatedTorrent, nowMs: number): Seat {
    const { v1 } = torrent.infoHashes;
    if (v1 === undefined || !torrent.complete)
      throw new SkimmerError("not_final", `${torrent.name} is not complete yet`, { retriable: true });
    if (this.#seats.size >= MOST_SEATS) {
      const idle = givesWay([...this.#seats.values()].map(facts), nowMs)?.seat;
      if (idle === undefined) throw new SkimmerError("busy", `${MOST_SEATS} torrents are served to browsers already`, { retriable: true });
      this.#leave(idle);
    }
    const seat: Seat = { torrent, infoHash: v1, usedMs: nowMs, announceAtMs: nowMs, uploadedBytes: 0 };
    this.#seats.set(torrent, seat);
    this.#options.logger.debug({ name: torrent.name }, "served to browsers");
    return seat;
  }

  async #announce(seat: Seat): Promise<void> {
    const { clock } = this.#options;
    seat.announceAtMs = clock.nowMs() + INTERVAL_S * 1000;
    const { failure, intervalS = INTERVAL_S } = await this.#tell(seat, undefined);
    if (failure !== undefined) throw new SkimmerError("not_found", `the supernode's tracker refuses ${seat.torrent.name}: ${failure}`);
    seat.announceAtMs = clock.nowMs() + intervalS * 1000;
  }

  #tell({ infoHash }: Seat, event: "stopped" | undefined) {
    const { trackers, peerId } = this.#options;
    const announce = { infoHash, peerId, port: 0, uploaded: 0, downloaded: 0, left: 0, numwant: 0, event };
    return trackers.announce(this.#tracker, announce, AbortSignal.timeout(ANNOUNCE_LIMIT_MS));
  }

  #leave(seat: Seat): void {
    this.#seats.delete(seat.torrent);
    this.#tell(seat, "stopped").catch(this.#note(seat));
    this.#options.logger.debug({ name: seat.torrent.name }, "no longer served to browsers");
  }

  #note({ torrent }: Seat): (error: Error) => void {
    return (error) => this.#options.logger.debug({ err: error.message, name: torrent.name }, "announce for browsers failed");
  }
}

function browsersOf({ peers }: SeatedTorrent) {
  return peers.filter(({ transport }) => transport === "webrtc");
}

function facts(seat: Seat) {
  return { seat, connections: browsersOf(seat.torrent).length, usedMs: seat.usedMs };
}
