/**
 * What all announce protocols share: whether a swarm is served and to whom, at what interval, and the figures. Drives nothing but the clock
 * that it is given; the protocols' words are in the fronts.
 *
 * An info hash of a private task is served only to who brings the task's passkey; to others it does not exist.
 */
import type { Clock } from "../../system/clock.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { Ask } from "../swarm/ask.ts";
import type { HandOut, Swarm } from "../swarm/swarm-group.ts";
import type { SwarmStore } from "../swarm/swarm-store.ts";
import type { HostClaims } from "./host-claims.ts";
import type { ScrapeRow } from "./http-answer.ts";
import type { IntervalPlan } from "./interval-plan.ts";

/** While seeders link again after a start, unknown hashes are not refused: swarms that run must not break. */
const GRACE_MS = 60_000;
const GRACE_RETRY_SECONDS = 5;
/** Private swarms in one scrape in which an address is looked for: each is a walk over its peers. */
const MOST_LOOKED_FOR = 4;
export const UNKNOWN_TORRENT = "unknown torrent: this tracker serves its own tasks only";

export interface DeskOptions {
  readonly store: SwarmStore;
  readonly claims: HostClaims;
  readonly intervals: IntervalPlan;
  readonly clock: Clock;
  readonly random: () => number;
  /** Track any info hash. */
  readonly open: boolean;
}

export class AnnounceDesk {
  readonly store: SwarmStore;
  readonly clock: Clock;
  readonly random: () => number;
  /** Answered since the start, by protocol. */
  readonly announces = { http: 0, udp: 0, ws: 0 };
  /** Of the last answer. */
  intervalS = 0;
  minIntervalS = 0;
  readonly #claims: HostClaims;
  readonly #intervals: IntervalPlan;
  readonly #open: boolean;
  readonly #startedMs: number;

  constructor(options: DeskOptions) {
    this.store = options.store;
    this.clock = options.clock;
    this.random = options.random;
    this.#claims = options.claims;
    this.#intervals = options.intervals;
    this.#open = options.open;
    this.#startedMs = options.clock.nowMs();
  }

  /**
   * Answers an announce; undefined: UNKNOWN_TORRENT. `path` is what followed `/announce/`: a passkey, a claim of an address, both or none.
   * The answer, and the intervals here, are good until the next one.
   */
  announce(ask: Ask, path: string, protocol: "http" | "udp"): HandOut | undefined {
    const nowMs = this.clock.nowMs();
    const passkey = this.#claims.apply(path, ask);
    if (!this.admit(ask.infoHash, passkey, nowMs)) return undefined;
    if (ask.site === 0) ask.site = this.store.sites.numberFor(ask.address);
    this.announces[protocol]++;
    return this.store.announce(ask, nowMs, this.random);
  }

  /** Whether the swarm is served to who brings that passkey; sets the intervals. Makes the swarm where any is tracked. */
  admit(key: string, passkey: string, nowMs: number): boolean {
    this.#intervals.note(nowMs);
    this.intervalS = this.#intervals.intervalS;
    this.minIntervalS = this.#intervals.minIntervalS;
    const swarm = this.store.find(key);
    if (swarm !== undefined) return mayUse(swarm, passkey);
    if (!this.#open) {
      if (nowMs - this.#startedMs >= GRACE_MS) return false;
      this.intervalS = this.minIntervalS = GRACE_RETRY_SECONDS;
    }
    this.store.join({ finals: [Buffer.from(key, "latin1").toString("hex") as InfoHash] });
    return true;
  }

  /**
   * The counts of those swarms that are served. `member`: who asks, where the protocol has no place for a passkey: private swarms are counted
   * for him too that an announce from his address is in, as far as MOST_LOOKED_FOR of them go.
   */
  scrape(hashes: readonly string[], passkey: string, member?: Ask): ScrapeRow[] {
    const nowMs = this.clock.nowMs();
    const known = hashes.map((hash) => this.store.find(hash)).filter((swarm) => swarm !== undefined);
    let looked = 0;
    const isMember = ({ group }: Swarm): boolean => member !== undefined && looked++ < MOST_LOOKED_FOR && group.hasAddress(member);
    return known
      .filter((swarm) => mayUse(swarm, passkey) || isMember(swarm))
      .map(({ key }) => ({ hash: key, ...this.store.countsOf(key, nowMs) }));
  }

  get scrapeIntervalS(): number {
    return this.#intervals.intervalS;
  }
}

function mayUse({ group }: Swarm, passkey: string): boolean {
  return group.passkey === undefined || group.passkey === passkey;
}
