/**
 * How this host finds peers: trackers, the local network, the DHT, each for the torrents that it is for (reach.ts). Drives.
 * Local discovery and DHT are opened with the first torrent that may use them.
 */
import { randomBytes } from "node:crypto";
import type { HostPort } from "../../system/addresses.ts";
import type { Clock } from "../../system/clock.ts";
import type { Logger } from "../../system/logger.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import { makePeerId } from "../../torrents/peer-id.ts";
import type { HostLabels } from "../../torrents/task-api.ts";
import { isMet, type ReachablePeer } from "../engine/met-peer.ts";
import type { Engine, Torrent } from "../engine/types.ts";
import type { FoundPeer } from "./announce.ts";
import { PATIENT_STARVING_INTERVAL_MS, STARVING_INTERVAL_MS } from "./announce-plan.ts";
import { type AnnouncePart, Announcer, type AnnouncerOptions } from "./announcer.ts";
import { DhtPair } from "./dht-pair.ts";
import { findPeers, type PeerWish } from "./find-peers.ts";
import type { HttpGet } from "./http-get.ts";
import { Lsd } from "./lsd.ts";
import { meetings } from "./meetings.ts";
import { Membership, type Place } from "./membership.ts";
import { type Openness, type Reach, reaches } from "./reach.ts";
import { TrackerClient } from "./tracker-client.ts";
import { PLAIN_SCHEMES, type TrackerScheme } from "./tracker-scheme.ts";
import { areAt, type Tiers, trackersOver, webSidesOf, withoutTwins } from "./tracker-tiers.ts";
import { UdpTrackers } from "./udp-tracker.ts";
import type { WebCalls } from "./web-calls.ts";
import { webSearch } from "./web-search.ts";
import { WebTrackers } from "./web-trackers.ts";

/** What a user may choose. */
export interface DiscoverySettings {
  readonly lsd: Reach;
  readonly dht: Reach;
  readonly dhtBootstrap: readonly HostPort[];
}

export interface DiscoveryOptions extends DiscoverySettings {
  readonly engine: Pick<Engine, "address" | "advertisedPort" | "peerId" | "find" | "take">;
  /** Calls over WebRTC; absent: WebSocket trackers are not used. */
  readonly calls?: WebCalls;
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
/** An announce there is a call as well: one that nobody took, or that came to nothing, is over by then. */
const CALL_AGAIN_MS = 20_000;

const PEER_ID_BYTES = 20;
const WEB_SCHEMES: readonly TrackerScheme[] = ["ws"];

export class Discovery implements AsyncDisposable {
  readonly #options: DiscoveryOptions;
  readonly #udp: UdpTrackers;
  readonly #web: WebTrackers | undefined;
  readonly #client: TrackerClient;
  /** Of torrents whose metadata was looked for: they are joined next. */
  readonly #found = new Map<InfoHash, FoundPeer[]>();
  #lsd: Lsd | undefined;
  #dht: Promise<DhtPair | undefined> | undefined;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#udp = new UdpTrackers({ nowMs: () => options.clock.nowMs(), random: options.random });
    this.#web = options.calls && new WebTrackers({ ...options, calls: options.calls, ...meetings(options.engine) });
    this.#client = new TrackerClient({ get: options.get, udp: this.#udp, web: this.#web });
  }

  /** Whether such a torrent's peers can be found while all of its trackers are away. */
  worksWithoutTrackers(openness: Openness): boolean {
    const { lsd, dht } = this.waysOf(openness);
    return lsd || dht;
  }

  /** Which ways to peers that need no tracker are taken for such a torrent. */
  waysOf(openness: Openness): { lsd: boolean; dht: boolean } {
    return { lsd: reaches(this.#options.lsd, openness), dht: reaches(this.#options.dht, openness) };
  }

  /** Whether WebSocket trackers are asked, and the peers that they know are ours. */
  get webrtc(): boolean {
    return this.#web !== undefined;
  }

  /** Begins to announce the torrent. */
  join(options: JoinOptions): Membership {
    const { engine, clock, random, logger } = this.#options;
    const { torrent, trackers, openness, starving, sociable } = options;
    const { peerId, advertisedPort: port } = engine;
    const common = { torrent, peerId, port, starving, sociable, client: this.#client, clock, random, logger };
    const partsOf = (tiers: Tiers) => this.#partsOf({ ...options, trackers: tiers });
    const announcers = partsOf(trackers).map((part) => new Announcer({ ...common, ...part }));
    const places = this.#placesFor(openness, options.dhtNodes);
    for (const infoHash of Object.values(torrent.infoHashes)) this.#handOver(torrent, infoHash, openness);
    const membership = new Membership({ torrent, announcers, partsOf, places, starving, sociable });
    membership.start();
    return membership;
  }

  /** Nodes of the DHT that such a torrent names. */
  addDhtNodes(nodes: readonly HostPort[], openness: Openness): void {
    if (nodes.length > 0 && reaches(this.#options.dht, openness)) void this.#openDht(nodes);
  }

  /** For trackers that tell addresses and, where they are asked at all, for WebSocket trackers: what is announced to whom. */
  #partsOf(options: JoinOptions): (AnnouncePart & Pick<AnnouncerOptions, "schemes" | "swarms">)[] {
    const { supernodes, labels, spare } = this.#options;
    const { trackers } = options;
    const ours = options.ours || areAt(trackers, supernodes);
    const told = ours ? { labels, spare, pace: OWN_PACE } : { labels: {}, spare: () => undefined, pace: PATIENT_PACE };
    const plain = this.#web === undefined ? trackers : trackersOver(PLAIN_SCHEMES, trackers);
    const part = { ...told, trackers: ours ? withoutTwins(plain) : plain };
    if (this.#web === undefined) return [part];
    const pace = { ...told.pace, starvingIntervalMs: CALL_AGAIN_MS };
    return [part, { ...told, pace, ...webPart({ ...options, ours, supernodes }) }];
  }

  /**
   * Peers of a torrent of which only the hash is known, as they are found; ends when nobody has more to say. It may turn out to be private:
   * the DHT is searched without being told of us, and the local network is left out where somebody else can be asked.
   */
  async *find(wish: PeerWish, signal: AbortSignal): AsyncGenerator<ReachablePeer[]> {
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
      found.push(...peers.filter((peer) => !isMet(peer)));
      yield peers;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#web?.[Symbol.dispose]();
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
    const { calls, clock, random } = this.#options;
    const webTrackers = trackersOver(WEB_SCHEMES, trackers).flat();
    const peerId = makePeerId("peer", randomBytes(PEER_ID_BYTES));
    if (calls !== undefined && webTrackers.length > 0) places.push(webSearch({ trackers: webTrackers, peerId, calls, clock, random }));
    const canAsk = hasPeers || places.length > 0 || trackersOver(PLAIN_SCHEMES, trackers).flat().length > 0;
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
  async #openDht(nodes: readonly HostPort[]): Promise<DhtPair | undefined> {
    const { engine, dhtBootstrap, dhtFile, clock, random, logger } = this.#options;
    const where = { peer: engine.address, announcedPort: engine.advertisedPort, bootstrap: dhtBootstrap, file: dhtFile };
    const options = { ...where, clock, random, logger };
    this.#dht ??= DhtPair.open(options).catch((error: unknown) => {
      logger.warn({ err: error }, "the DHT cannot be used");
      return undefined;
    });
    const dht = await this.#dht;
    for (const node of nodes) dht?.addNode(node);
    return dht;
  }
}

/**
 * What is announced at WebSocket trackers: the final torrent. Public tasks of a supernode are too, at its own, but only what is complete, for browsers:
 * hosts that download them have TCP, and each that lacks pieces there would have a seeder called to serve browsers.
 */
function webPart({ trackers, openness, ours, supernodes }: JoinOptions & { supernodes: readonly string[] }) {
  const isTask = ours && openness === "task";
  const swarms = ({ complete, infoHashes: { v1, v2 } }: Torrent) => (isTask && !complete ? [] : [v1 ?? v2]);
  return { trackers: isTask ? webSidesOf(trackers, supernodes) : trackersOver(WEB_SCHEMES, trackers), schemes: WEB_SCHEMES, swarms };
}
