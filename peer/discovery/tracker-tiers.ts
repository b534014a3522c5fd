/**
 * The trackers of one swarm: in which order they are asked, and which of them rest after a failure (BEP 12, 31). Decides.
 *
 * Tiers are asked in order, a tier's trackers in an order shuffled once; the one that answers moves to the front of its tier.
 * A tracker that fails rests for longer each time. Those that this host cannot ask are kept to be shown.
 */
import type { AnnounceAnswer } from "./announce.ts";
import { retryDelayMs } from "./announce-plan.ts";
import { shownTracker } from "./shown-tracker.ts";
import { PLAIN_SCHEMES, type TrackerScheme, trackerScheme } from "./tracker-scheme.ts";

/** Each tier is one tracker, or several that are equally good. */
export type Tiers = readonly (string | readonly string[])[];

/** One tracker, as this swarm knows it. */
export interface TrackerState {
  readonly url: string;
  tier: number;
  /** In a row. */
  failures: number;
  restsUntilMs: number;
  /** It knows of us. */
  known: boolean;
  /** It was told that we have everything, or was never to be told. */
  toldComplete: boolean;
  /** Why it did not answer the last time; undefined: it did, or was not asked yet. */
  problem: string | undefined;
  last: AnnounceAnswer | undefined;
  /** To be sent back to it. */
  trackerId: string | undefined;
}

/** A tracker for people and programs. */
export interface TrackerStatus {
  /** As it may be shown (shown-tracker.ts). */
  readonly url: string;
  readonly tier: number;
  /** waiting: not asked, since another one answers. */
  readonly state: "working" | "failing" | "waiting" | "unsupported";
  /** Why it fails, or what it warns of. */
  readonly message?: string;
  readonly seeds?: number;
  readonly leeches?: number;
}

const MOST_TRACKERS = 100;

interface TiersOptions {
  readonly random: () => number;
  readonly mostRestMs: number;
  readonly wasComplete: boolean;
  /** By which this host can ask; default: all but WebSockets. */
  readonly schemes?: readonly TrackerScheme[];
}

export class TrackerTiers {
  readonly #options: TiersOptions;
  #tiers: TrackerState[][] = [];
  #unsupported: readonly TrackerStatus[] = [];

  constructor(tiers: Tiers, options: TiersOptions) {
    this.#options = options;
    this.replace(tiers, options);
  }

  /** From now on these. What is known of those that stay is kept, and their order within a tier. */
  replace(tiers: Tiers, { wasComplete }: { wasComplete: boolean }): { readonly added: TrackerState[]; readonly gone: TrackerState[] } {
    const { random, schemes = PLAIN_SCHEMES } = this.#options;
    const all = numbered(tiers);
    const before = this.all;
    const known = new Map(before.map((tracker) => [tracker.url, tracker]));
    const usable = all.filter(({ url }) => schemes.includes(trackerScheme(url)));
    this.#unsupported = all
      .filter(({ url }) => !schemes.includes(trackerScheme(url)))
      .map(({ url, tier }) => ({ url: shownTracker(url), tier, state: "unsupported", message: whyNot(url) }));
    const tierOf = new Map(usable.map(({ url, tier }) => [url, tier]));
    const added = usable.filter(({ url }) => !known.has(url)).map((tracker) => fresh(tracker, wasComplete));
    const kept = before.filter(({ url }) => tierOf.has(url));
    for (const tracker of kept) tracker.tier = tierOf.get(tracker.url) ?? tracker.tier;
    const inTier = (trackers: readonly TrackerState[], tier: number): TrackerState[] => trackers.filter((tracker) => tracker.tier === tier);
    this.#tiers = tiers.map((_, tier) => [...inTier(kept, tier), ...shuffled(inTier(added, tier), random)]);
    return { added, gone: before.filter(({ url }) => !tierOf.has(url)) };
  }

  /** Whether it is one of them still. */
  has(tracker: TrackerState): boolean {
    return this.all.includes(tracker);
  }

  get all(): TrackerState[] {
    return this.#tiers.flat();
  }

  /** Those that may be asked now, the best first. */
  due(nowMs: number): TrackerState[] {
    return this.all.filter(({ restsUntilMs }) => restsUntilMs <= nowMs);
  }

  /** Milliseconds until one may be asked again; Infinity: there is none. */
  nextDueMs(nowMs: number): number {
    return Math.max(0, Math.min(...this.all.map(({ restsUntilMs }) => restsUntilMs)) - nowMs);
  }

  onAnswer(tracker: TrackerState, answer: AnnounceAnswer): void {
    Object.assign(tracker, { failures: 0, restsUntilMs: Number.NEGATIVE_INFINITY, known: true, problem: undefined, last: answer });
    tracker.trackerId = answer.trackerId ?? tracker.trackerId;
    const tier = this.#tiers[tracker.tier];
    tier.splice(tier.indexOf(tracker), 1);
    tier.unshift(tracker);
  }

  /** `retryInS`: the tracker's own word (BEP 31). */
  onFailure(tracker: TrackerState, failure: { problem: string; retryInS: number | undefined; nowMs: number; random: number }): void {
    tracker.failures++;
    tracker.problem = failure.problem;
    const ownMs = retryDelayMs({ failures: tracker.failures, mostMs: this.#options.mostRestMs, random: failure.random });
    tracker.restsUntilMs = failure.nowMs + Math.max(ownMs, (failure.retryInS ?? 0) * 1000);
  }

  get status(): TrackerStatus[] {
    return [...this.all.map(statusOf), ...this.#unsupported].sort((a, b) => a.tier - b.tier);
  }
}

/** The trackers that are asked by these schemes, each in the tier that it is in. */
export function trackersOver(schemes: readonly TrackerScheme[], tiers: Tiers): Tiers {
  return tiers.map((tier) => [tier].flat().filter((url) => schemes.includes(trackerScheme(url))));
}

/** The WebSocket sides of those trackers that are at one of the supernodes: same host and port, no passkey, since they know public content only. */
export function webSidesOf(tiers: Tiers, supernodes: readonly string[]): Tiers {
  const own = tiers.flat().filter((url) => trackerScheme(url) === "http" && areAt([url], supernodes));
  const sides = own.map((url) => new URL("/announce", url.replace(/^http/i, "ws")).href);
  return [...new Set(sides)].map((url) => [url]);
}

/** What to do where all trackers are of that kind and this host does not use them. */
export const NEEDS_WEBRTC =
  "all of its trackers are WebSocket trackers, whose peers speak WebRTC: start the daemon with --webrtc, or name a peer (--peer, x.pe=HOST:PORT)";

/** Whether there are trackers, and all of them over WebSockets. */
export function areWebOnly(tiers: Tiers): boolean {
  const urls = tiers.flat();
  return urls.length > 0 && urls.every((url) => trackerScheme(url) === "ws");
}

/** Whether this host can use none of the trackers, because it was not told to speak WebRTC. */
export function needsWebrtc(trackers: readonly TrackerStatus[]): boolean {
  return trackers.length > 0 && trackers.every(({ state }) => state === "unsupported");
}

/** Whether all of these trackers are at one of the supernodes; of none there is nothing to spare. */
export function areAt(tiers: Tiers, supernodes: readonly string[]): boolean {
  const places = new Set(supernodes.flatMap(placeOf));
  return tiers.flat().every((url) => placeOf(url).some((place) => places.has(place)));
}

/**
 * The trackers without those over UDP that a tracker over HTTP has a twin of at the same host and port. A supernode is one process: where
 * its HTTP is away, waiting for its UDP only takes time.
 */
export function withoutTwins(tiers: Tiers): Tiers {
  const places = new Set(tiers.flat().flatMap((url) => (trackerScheme(url) === "http" ? placeOf(url) : [])));
  const isTwin = (url: string): boolean => trackerScheme(url) === "udp" && placeOf(url).some((place) => places.has(place));
  return tiers.map((tier) => [tier].flat().filter((url) => !isTwin(url))).filter((tier) => tier.length > 0);
}

/** Host and port of a tracker or supernode; none where it is no URL. */
function placeOf(url: string): string[] {
  const parsed = URL.parse(url);
  return parsed === null ? [] : [`${parsed.hostname} ${parsed.port}`];
}

function numbered(tiers: Tiers): { url: string; tier: number }[] {
  const known = new Set<string>();
  const all = tiers.flatMap((trackers, tier) => [trackers].flat().map((url) => ({ url, tier })));
  return all.filter(({ url }) => !known.has(url) && known.add(url)).slice(0, MOST_TRACKERS);
}

function fresh(tracker: { url: string; tier: number }, wasComplete: boolean): TrackerState {
  const nothing = { problem: undefined, last: undefined, trackerId: undefined };
  return { ...tracker, ...nothing, failures: 0, restsUntilMs: Number.NEGATIVE_INFINITY, known: false, toldComplete: wasComplete };
}

function statusOf({ url, tier, problem, last }: TrackerState): TrackerStatus {
  const state = problem !== undefined ? "failing" : last === undefined ? "waiting" : "working";
  return { url: shownTracker(url), tier, state, message: problem ?? last?.warning, seeds: last?.seeds, leeches: last?.leeches };
}

function whyNot(url: string): string | undefined {
  return trackerScheme(url) === "ws" ? "only a daemon that was started with --webrtc uses it" : undefined;
}

/** Fisher–Yates, on a copy. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const copy = [...items];
  for (let at = copy.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [copy[at], copy[other]] = [copy[other], copy[at]];
  }
  return copy;
}
