/**
 * Tells the supernode which peers this host leaves alone, and why. Drives; best effort.
 * Reports are collected for a moment, so that a burst becomes one request. Bounded: the oldest are dropped; a supernode that
 * knows no reports, or does not answer, is not asked again for a while.
 */
import type { Clock } from "../../system/clock.ts";
import { requestJson } from "../../system/json-http.ts";
import type { Logger } from "../../system/logger.ts";
import { tokenHeaders } from "../../system/supernode-token.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import { type GoodPeer, MOST_REPORTS, type PeerReport, type PeerReports } from "../../torrents/task-api.ts";
import type { Tiers } from "../discovery/tracker-tiers.ts";
import type { BannedPeer } from "../engine/peer-conduct.ts";
import type { Torrent } from "../engine/types.ts";
import { readSupernode } from "./check-request.ts";

export interface PeerReporterOptions {
  readonly supernodes: readonly string[];
  /** For their API; absent: none. */
  readonly token?: string;
  readonly peer: { readonly id: PeerId; readonly port: number };
  /** Open torrents, whose peers that bring good pieces are told of too. */
  readonly torrents: ReadonlyMap<InfoHash, Torrent>;
  /** Whether a supernode made the torrent: others are nobody's business. */
  readonly isSupernodes: (infoHash: InfoHash) => boolean;
  /** What the supernodes told to announce it at. */
  readonly trackersOf: (infoHash: InfoHash) => Tiers;
  readonly clock: Clock;
  readonly logger: Logger;
}

const COLLECT_MS = 1_000;
const TIMEOUT_MS = 3_000;
const ASIDE_MS = 60_000;
/** A good word counts for ten minutes at the supernode. */
const PRAISE_EVERY_MS = 30_000;

export class PeerReporter implements Disposable {
  readonly #options: PeerReporterOptions;
  readonly #asideUntilMs = new Map<string, number>();
  readonly #stopping = new AbortController();
  #reports: PeerReport[] = [];
  #good: readonly GoodPeer[] = [];
  #timer: NodeJS.Timeout | undefined;

  readonly #praising: NodeJS.Timeout;

  constructor(options: PeerReporterOptions) {
    this.#options = options;
    this.#praising = setInterval(() => this.praise(), PRAISE_EVERY_MS).unref();
  }

  /** Tells of who brings good pieces just now. */
  praise(): void {
    const { torrents, isSupernodes } = this.#options;
    const good = goodPeers([...torrents.values()].filter(({ infoHash }) => isSupernodes(infoHash)));
    if (good.length === 0 || this.#stopping.signal.aborted) return;
    this.#good = good;
    this.#timer ??= setTimeout(() => void this.#send(), COLLECT_MS).unref();
  }

  /** Takes note of a ban; it is told soon. */
  note(infoHash: InfoHash, { id, host, port, offence, reason, offences, untilMs }: BannedPeer): void {
    if (this.#stopping.signal.aborted) return;
    const banSeconds = Math.round((untilMs - this.#options.clock.nowMs()) / 1000);
    this.#reports = [...this.#reports, { infoHash, peer: { id, host, port }, offence, reason, offences, banSeconds }].slice(-MOST_REPORTS);
    this.#timer ??= setTimeout(() => void this.#send(), COLLECT_MS).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    clearInterval(this.#praising);
    this.#stopping.abort();
  }

  /** The first supernode that takes them is enough: supernodes share what they know. Never rejects. */
  async #send(): Promise<void> {
    this.#timer = undefined;
    const { supernodes, peer, clock, logger } = this.#options;
    const told = { reports: this.#reports, good: this.#good };
    const trackers = new Set([...told.reports, ...told.good].flatMap(({ infoHash }) => this.#options.trackersOf(infoHash).flat()));
    this.#reports = [];
    this.#good = [];
    for (const { url } of supernodes.map(readSupernode)) {
      if ((this.#asideUntilMs.get(url) ?? 0) > clock.nowMs()) continue;
      const claim = claimAt(url, [...trackers]);
      if (await this.#post(url, { reporter: { id: peer.id, port: peer.port, ...(claim && { claim }) }, ...told })) return;
      this.#asideUntilMs.set(url, clock.nowMs() + ASIDE_MS);
    }
    logger.debug({ reports: told.reports.length }, "no supernode takes reports on peers");
  }

  async #post(url: string, body: PeerReports): Promise<boolean> {
    const request = {
      url: `${url}/api/v1/reports`,
      method: "POST",
      headers: tokenHeaders(this.#options.token),
      body,
      timeoutMs: TIMEOUT_MS,
      signal: this.#stopping.signal,
    };
    const answer = await requestJson(request).catch(() => undefined);
    return answer !== undefined && answer.status < 300;
  }
}

/** The end of an announce URL that says where we are, of that supernode rather than of another one; undefined: none does. Decides. */
export function claimAt(supernode: string, trackers: readonly string[]): string | undefined {
  const host = URL.parse(supernode)?.host;
  const found = trackers.flatMap((tracker) => {
    const url = URL.parse(tracker);
    const claim = url?.pathname.match(/\/(at-[0-9a-f]{1,100})$/)?.[1];
    return claim === undefined ? [] : [{ claim, isThere: url?.host === host }];
  });
  return (found.find(({ isThere }) => isThere) ?? found[0])?.claim;
}

/** Peers that bring something just now: what they bring is verified, or they would be banned. Seeders need no good word. */
function goodPeers(torrents: readonly Torrent[]): GoodPeer[] {
  const good: GoodPeer[] = [];
  for (const { infoHash, peers } of torrents)
    for (const { host, port, seeder, downloadBytesPerSecond } of peers) {
      if (good.length >= MOST_REPORTS) return good;
      if (downloadBytesPerSecond > 0 && port > 0 && !seeder) good.push({ infoHash, host, port });
    }
  return good;
}
