/**
 * How this host finds peers: trackers, the local network, the DHT, each for the torrents that it is for (reach.ts). Drives.
 * Local discovery and DHT are opened with the first torrent that may use them.
 */
import type { HostPort } from "../../system/addresses.ts";
import type { Clock } from "../../system/clock.ts";
import type { Logger } from "../../system/logger.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { HostLabels } from "../../torrents/task-api.ts";
import type { Engine, Torrent } from "../engine/types.ts";
import type { FoundPeer } from "./announce.ts";
import { PATIENT_STARVING_INTERVAL_MS, STARVING_INTERVAL_MS } from "./announce-plan.ts";
import { Announcer } from "./announcer.ts";
import { Dht } from "./dht.ts";
import { findPeers, type PeerWish } from "./find-peers.ts";
import type { HttpGet } from "./http-get.ts";
import { Lsd } from "./lsd.ts";
import { Membership, type Place } from "./membership.ts";
import { type Openness, type Reach, reaches } from "./reach.ts";
import { TrackerClient } from "./tracker-client.ts";
import { trackerScheme } from "./tracker-scheme.ts";
import { areAt, type Tiers, withoutTwins } from "./tracker-tiers.ts";
import { UdpTrackers } from "./udp-tracker.ts";

/** What a user may choose. */
export interface DiscoverySettings {
  readonly lsd: Reach;
  readonly dht: Reach;
  readonly dhtBootstrap: readonly HostPort[];
}

export interface DiscoveryOptions extends DiscoverySettings {
  readonly engine: Pick<Engine, "address" | "advertisedPort" | "peerId">;
  /** Base URLs of the supernodes: their trackers are ours. */
  readonly supernodes: readonly string[];
  /** For trackers of ours only, like `spare`. */
  readonly labels: HostLabels;
  /** Per cent of this host's upload that is unused; undefined: not known. */
  readonly spare: () => number | undefined;
  /** Where nodes of the DHT are kept. */
  readonly dhtFile: string;
  readonly get: HttpGet;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

export interface JoinOptions {
  readonly torrent: Torrent;
  readonly trackers: Tiers;
  readonly openness: Openness;
  /** A supernode, or this host, made it: its trackers are ours. */
  readonly ours: boolean;
  /** Nodes of the DHT that the torrent names. */
  readonly dhtNodes: readonly HostPort[];
  readonly starving: () => boolean;
  readonly sociable: () => boolean;
}

/** Torrents whose found peers are kept until they are joined. */
const MOST_FOUND = 50;
/** Our own trackers are to know soon that we are back; those of strangers are left alone for longer. */
const OWN_PACE = { mostRestMs: 60_000, starvingIntervalMs: STARVING_INTERVAL_MS, timeoutMs: 5_000 };
const PATIENT_PACE = { mostRestMs: 30 * 60_000, starvingIntervalMs: PATIENT_STARVING_INTERVAL_MS, timeoutMs: 15_000 };

export class Discovery implements AsyncDisposable {
  readonly #options: DiscoveryOptions;
  readonly #udp: UdpTrackers;
  readonly #client: TrackerClient;
  /** Of torrents whose metadata was looked for: they are joined next. */
  readonly #found = new Map<InfoHash, FoundPeer[]>();
  #lsd: Lsd | undefined;
  #dht: Promise<Dht | undefined> | undefined;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#udp = new UdpTrackers({ nowMs: () => options.clock.nowMs(), random: options.random });
    this.#client = new TrackerClient({ get: options.get, udp: this.#udp });
  }

  /** Whether such a torrent's peers can be found while all of its trackers are away. */
  worksWithoutTrackers(openness: Openness): boolean {
    return reaches(this.#options.lsd, openness) || reaches(this.#options.dht, openness);
  }

  /** Begins to announce the torrent. */
  join(options: JoinOptions): Membership {
    const { engine, supernodes, labels, spare, clock, random, logger } = this.#options;
    const { torrent, trackers, openness, starving, sociable } = options;
    const ours = options.ours || areAt(trackers, supernodes);
    const announcer = new Announcer({
      torrent,
      trackers: ours ? withoutTwins(trackers) : trackers,
      peerId: engine.peerId,
      port: engine.advertisedPort,
      starving,
      sociable,
      labels: ours ? labels : {},
      spare: ours ? spare : () => undefined,
      pace: ours ? OWN_PACE : PATIENT_PACE,
      client: this.#client,
      clock,
      random,
      logger,
    });
    const places = this.#placesFor(openness, options.dhtNodes);
    for (const infoHash of Object.values(torrent.infoHashes)) this.#handOver(torrent, infoHash, openness);
    const membership = new Membership({ torrent, announcer, places, starving, sociable });
    membership.start();
    return membership;
  }

  /**
   * Peers of a torrent of which only the hash is known, as they are found; ends when nobody has more to say. It may turn out to be private:
   * the DHT is searched without being told of us, and the local network is left out where somebody else can be asked.
   */
  async *find(wish: PeerWish, signal: AbortSignal): AsyncGenerator<FoundPeer[]> {
    const { engine } = this.#options;
    const places = this.#quietPlacesFor(wish);
    const found: FoundPeer[] = [];
    this.#found.set(wish.infoHash, found);
    if (this.#found.size > MOST_FOUND) this.#found.delete(this.#found.keys().next().value as InfoHash);
    for await (const peers of findPeers(wish, {
      client: this.#client,
      places,
      peerId: engine.peerId,
      port: engine.advertisedPort,
      signal,
    })) {
      found.push(...peers);
      yield peers;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lsd?.[Symbol.asyncDispose]();
    await (await this.#dht)?.[Symbol.asyncDispose]();
    await this.#udp[Symbol.asyncDispose]();
  }

  /** A private torrent's peers are those that its trackers name: whether found ones were is not known. */
  #handOver(torrent: Torrent, infoHash: InfoHash | undefined, openness: Openness): void {
    const found = infoHash && this.#found.get(infoHash);
    if (found === undefined) return;
    if (openness !== "private") torrent.addPeers(found, infoHash);
    this.#found.delete(infoHash as InfoHash);
  }

  async #placesFor(openness: Openness, dhtNodes: readonly HostPort[]): Promise<Place[]> {
    const places: Place[] = [];
    if (reaches(this.#options.lsd, openness)) places.push(this.#openLsd());
    const dht = reaches(this.#options.dht, openness) ? await this.#openDht(dhtNodes) : undefined;
    if (dht !== undefined) places.push({ join: ({ infoHash, onPeer }) => dht.join(infoHash, onPeer) });
    return places;
  }

  async #quietPlacesFor({ trackers, hasPeers, dhtNodes }: PeerWish): Promise<Place[]> {
    const places: Place[] = [];
    const canAsk = hasPeers || trackers.flat().some((url) => trackerScheme(url) !== "other");
    if (!canAsk && reaches(this.#options.lsd, "added")) places.push(this.#openLsd());
    const dht = reaches(this.#options.dht, "added") ? await this.#openDht(dhtNodes) : undefined;
    if (dht !== undefined) places.push({ join: ({ infoHash, onPeer }) => dht.search(infoHash, onPeer) });
    return places;
  }

  #openLsd(): Lsd {
    const { engine, clock, random, logger } = this.#options;
    this.#lsd ??= new Lsd({ listen: engine.address, clock, random, logger });
    return this.#lsd;
  }

  /** undefined where there is no port for it: once is enough to say so. */
  async #openDht(nodes: readonly HostPort[]): Promise<Dht | undefined> {
    const { engine, dhtBootstrap, dhtFile, clock, random, logger } = this.#options;
    const where = { peer: engine.address, announcedPort: engine.advertisedPort, bootstrap: dhtBootstrap, file: dhtFile };
    const options = { ...where, clock, random, logger };
    this.#dht ??= Dht.open(options).catch((error: unknown) => {
      logger.warn({ err: error }, "the DHT cannot be used");
      return undefined;
    });
    const dht = await this.#dht;
    for (const node of nodes) dht?.addNode(node);
    return dht;
  }
}
