/**
 * One open torrent in all the places where its peers are looked for: trackers, local network, DHT. Drives.
 * Each of its info hashes is told of; those of the final torrents as soon as they are known.
 */
import type { InfoHash } from "../../torrents/ids.ts";
import type { MetPeer } from "../engine/met-peer.ts";
import type { Torrent } from "../engine/types.ts";
import type { FoundPeer } from "./announce.ts";
import type { AnnouncePart, Announcer } from "./announcer.ts";
import type { Tiers, TrackerStatus } from "./tracker-tiers.ts";

/** A way of finding peers that needs no tracker. */
export interface Place {
  join(what: { infoHash: InfoHash; hasPieces: () => boolean; onPeer: (peer: FoundPeer | MetPeer) => void }): Disposable & { hurry(): void };
}

export interface MembershipOptions {
  readonly torrent: Torrent;
  /** One for trackers that tell addresses, and one for WebSocket trackers, whose peers are others. */
  readonly announcers: readonly Announcer[];
  /** What each announcer is to do with such trackers. */
  readonly partsOf: (trackers: Tiers) => readonly AnnouncePart[];
  /** Without the trackers; resolves when they are open. */
  readonly places: Promise<readonly Place[]>;
  /** True while the download wants more peers than it has. */
  readonly starving: () => boolean;
  /** False: nobody but seeders of the cluster is believed. */
  readonly sociable: () => boolean;
}

/** How often a download that lacks peers says so again; each place has bounds of its own. */
const HURRY_EVERY_MS = 5_000;

export class Membership {
  readonly #options: MembershipOptions;
  readonly #joined = new Map<InfoHash, (Disposable & { hurry(): void })[]>();
  #places: readonly Place[] = [];
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  start(): void {
    const { torrent, announcers, places } = this.#options;
    for (const announcer of announcers) announcer.start();
    void places.then((opened) => {
      if (this.#stopped || opened.length === 0) return;
      this.#places = opened;
      torrent.on("final", this.#joinAll);
      this.#joinAll();
      this.#timer = setInterval(() => this.#options.starving() && this.#hurryPlaces(), HURRY_EVERY_MS);
      this.#timer.unref();
    });
  }

  /** Asks everywhere soon: the download lacks peers. */
  hurry(): void {
    for (const announcer of this.#options.announcers) announcer.hurry();
    this.#hurryPlaces();
  }

  get trackers(): TrackerStatus[] {
    return this.#options.announcers.flatMap(({ trackers }) => trackers).sort((a, b) => a.tier - b.tier);
  }

  /** From now on these trackers. */
  useTrackers(trackers: Tiers): void {
    const { announcers, partsOf } = this.#options;
    for (const [at, part] of partsOf(trackers).entries()) announcers[at].change(part);
  }

  /** Leaves; trackers are told, until `signal` ends the patience. */
  async stop(signal: AbortSignal): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#options.torrent.off("final", this.#joinAll);
    for (const joined of this.#joined.values()) for (const one of joined) one[Symbol.dispose]();
    this.#joined.clear();
    await Promise.all(this.#options.announcers.map((announcer) => announcer.stop(signal)));
  }

  #hurryPlaces(): void {
    for (const joined of this.#joined.values()) for (const one of joined) one.hurry();
  }

  readonly #joinAll = (): void => {
    const { torrent, sociable } = this.#options;
    for (const infoHash of Object.values(torrent.infoHashes)) {
      if (infoHash === undefined || this.#joined.has(infoHash)) continue;
      const onPeer = (peer: FoundPeer | MetPeer): void => {
        if (sociable() && !torrent.complete) torrent.addPeers([peer], infoHash);
      };
      const hasPieces = (): boolean => torrent.stats.piecesHave > 0;
      this.#joined.set(
        infoHash,
        this.#places.map((place) => place.join({ infoHash, hasPieces, onPeer })),
      );
    }
  };
}
