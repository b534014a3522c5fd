/**
 * The WebRTC side of a seeder: webtorrent in this process, which serves browsers from the engine's store. Drives webtorrent.
 *
 * A torrent is added when the supernode calls for it, since browsers are in its swarm, and leaves when they are gone: a seeder with 10,000 tasks
 * holds as many webtorrent torrents as browsers download. It only answers offers: with offers of its own, both sides would dial each other and each
 * give up the other's connection. Invariant: at most MOST_SEATS torrents and MOST_CONNECTIONS connections.
 */
import { once } from "node:events";
import type WebTorrent from "webtorrent";
import type { WebTorrentTorrent, Wire } from "webtorrent";
import type { Clock } from "../../system/clock.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import type { PeerId } from "../../torrents/ids.ts";
import { torrentFile } from "../../torrents/torrent-file.ts";
import type { Torrent } from "../engine/types.ts";
import { loadWebtorrent } from "./load-webtorrent.ts";
import { givesWay, isOver, MOST_SEATS } from "./seat-plan.ts";
import { ServedStore, type ServedTorrent } from "./served-store.ts";
import { WireGate } from "./wire-gate.ts";

const MOST_CONNECTIONS = 200;
const LOOK_MS = 5000;
const ANNOUNCE_LIMIT_MS = 10_000;
const CLOSE_LIMIT_MS = 3000;

/** A torrent that can be served: its v1 info dict is known. */
export type BrowserTorrent = ServedTorrent & Pick<Torrent, "name" | "infoHash" | "infoV1" | "complete">;

export interface WebPeerOptions {
  /** The supernode, as this process reaches it. */
  readonly supernode: string;
  /** Tells the supernode that it is a seeder's. */
  readonly peerId: PeerId;
  /** Whether the engine still has the torrent. */
  isHeld(torrent: BrowserTorrent): boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Seat {
  readonly torrent: BrowserTorrent;
  readonly served: WebTorrentTorrent;
  readonly announced: Promise<void>;
  /** One for each connection. */
  readonly gates: Set<WireGate>;
  usedMs: number;
}

export class WebPeer implements AsyncDisposable {
  readonly #options: WebPeerOptions;
  readonly #client: WebTorrent;
  readonly #seats = new Map<BrowserTorrent, Seat>();
  readonly #timer: NodeJS.Timeout;
  #connections = 0;

  private constructor(options: WebPeerOptions, Client: typeof WebTorrent) {
    this.#options = options;
    this.#client = new Client({ ...CLIENT_OPTIONS, peerId: options.peerId });
    this.#client.on("error", (error: Error) => options.logger.warn({ err: error.message }, "webtorrent failed"));
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Loads webtorrent. Rejects with SkimmerError `bad_request` where it is not installed. */
  static async open(options: WebPeerOptions, load = loadWebtorrent): Promise<WebPeer> {
    return new WebPeer(options, await load());
  }

  /** Torrents that are served, and connections of browsers. */
  get figures(): { readonly torrents: number; readonly connections: number } {
    return { torrents: this.#seats.size, connections: this.#connections };
  }

  /** Serves the torrent to browsers from now on. Resolves when the tracker knows it; rejects with `not_final` or `busy`. */
  async serve(torrent: BrowserTorrent): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const seat = this.#seats.get(torrent) ?? this.#sit(torrent, nowMs);
    seat.usedMs = nowMs;
    await seat.announced;
  }

  /** Ends the seats that are over; runs by itself every few seconds. */
  look(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const seat of [...this.#seats.values()]) if (isOver(facts(seat), nowMs) || !this.#options.isHeld(seat.torrent)) this.#leave(seat);
  }

  /** Ends all seats: the supernode started anew, and webtorrent would take minutes to announce there again. Who is wanted is called again. */
  leaveAll(): void {
    for (const seat of [...this.#seats.values()]) this.#leave(seat);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.leaveAll();
    if (this.#client.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    // its trackers say goodbye first, and nobody waits for a supernode that is gone
    const limit = setTimeout(resolve, CLOSE_LIMIT_MS);
    this.#client.destroy(() => resolve());
    await promise;
    clearTimeout(limit);
  }

  #sit(torrent: BrowserTorrent, nowMs: number): Seat {
    const { infoV1, complete } = torrent;
    if (infoV1 === undefined || !complete) throw new SkimmerError("not_final", `${torrent.name} is not complete yet`, { retriable: true });
    if (this.#seats.size >= MOST_SEATS) {
      const idle = givesWay([...this.#seats.values()].map(facts), nowMs)?.seat;
      if (idle === undefined) throw new SkimmerError("busy", `${MOST_SEATS} torrents are served to browsers already`, { retriable: true });
      this.#leave(idle);
    }
    const announce = [new URL("/announce", this.#options.supernode.replace(/^http/, "ws")).href];
    const gates = new Set<WireGate>();
    const store = new ServedStore(torrent, () => {
      seat.usedMs = this.#options.clock.nowMs();
    });
    const served = this.#client.add(torrentFile({ info: infoV1, trackers: [] }), {
      announce,
      preloadedStore: store,
      skipVerify: true,
      storeCacheSlots: 0,
    });
    const announced = firstAnnounce(served);
    const seat: Seat = { torrent, served, announced, gates, usedMs: nowMs };
    this.#seats.set(torrent, seat);
    served.on("wire", (wire: Wire) => this.#onWire(seat, wire));
    // when the streams behind the wires have settled
    served.on("upload", () => setImmediate(pumpAll, gates));
    served.on("warning", (error: Error) => this.#options.logger.debug({ err: error.message, name: torrent.name }, "browser peer"));
    served.on("error", (error: Error) => {
      this.#options.logger.warn({ err: error.message, name: torrent.name }, "cannot serve to browsers");
      this.#leave(seat);
    });
    this.#options.logger.debug({ name: torrent.name }, "served to browsers");
    return seat;
  }

  #leave({ torrent, served }: Seat): void {
    this.#seats.delete(torrent);
    if (!served.destroyed) served.destroy();
    this.#options.logger.debug({ name: torrent.name }, "no longer served to browsers");
  }

  #onWire({ gates }: Seat, wire: Wire): void {
    if (this.#connections >= MOST_CONNECTIONS) return wire.destroy();
    const gate = new WireGate(wire, () => isBackpressured(wire));
    this.#connections++;
    gates.add(gate);
    wire.once("close", () => {
      this.#connections--;
      gates.delete(gate);
    });
  }
}

function pumpAll(gates: ReadonlySet<WireGate>): void {
  for (const gate of gates) gate.pump();
}

function facts(seat: Seat) {
  return { seat, connections: seat.gates.size, usedMs: seat.usedMs };
}

/** Browsers are met over WebRTC alone, by this supernode's tracker alone. It opens a TCP port whether it is wanted or not. */
const CLIENT_OPTIONS = {
  torrentPort: { host: "127.0.0.1", port: 0 },
  dht: false,
  lsd: false,
  utPex: false,
  utp: false,
  natUpnp: false,
  natPmp: false,
  webSeeds: false,
  tracker: { rtcConfig: { iceServers: [] }, getAnnounceOpts: () => ({ numwant: 0 }) },
};

/** streamx keeps how full a stream is behind a static method of its classes, which a wire's class inherits. */
function isBackpressured(wire: Wire): boolean {
  const { isBackpressured: ask } = wire.constructor as { isBackpressured?: (stream: Wire) => boolean };
  return ask?.(wire) ?? false;
}

async function firstAnnounce(served: WebTorrentTorrent): Promise<void> {
  await once(served, "trackerAnnounce", { signal: AbortSignal.timeout(ANNOUNCE_LIMIT_MS) }).catch(() => undefined);
}
