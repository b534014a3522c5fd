/**
 * Tells the supernode which peers this host leaves alone, and why. Drives; best effort.
 * Reports are collected for a moment, so that a burst becomes one request. Bounded: the oldest are dropped; a supernode that
 * knows no reports, or does not answer, is not asked again for a while.
 */
import type { Clock } from "../../system/clock.ts";
import { requestJson } from "../../system/json-http.ts";
import type { Logger } from "../../system/logger.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import { MOST_REPORTS, type PeerReport, type PeerReports } from "../../torrents/task-api.ts";
import type { BannedPeer } from "../engine/peer-conduct.ts";
import { readSupernode } from "./check-request.ts";

export interface PeerReporterOptions {
  readonly supernodes: readonly string[];
  readonly peer: { readonly id: PeerId; readonly port: number };
  readonly clock: Clock;
  readonly logger: Logger;
}

const COLLECT_MS = 1_000;
const TIMEOUT_MS = 3_000;
const ASIDE_MS = 60_000;

export class PeerReporter implements Disposable {
  readonly #options: PeerReporterOptions;
  readonly #asideUntilMs = new Map<string, number>();
  readonly #stopping = new AbortController();
  #reports: PeerReport[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PeerReporterOptions) {
    this.#options = options;
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
    this.#stopping.abort();
  }

  /** The first supernode that takes them is enough: supernodes share what they know. Never rejects. */
  async #send(): Promise<void> {
    this.#timer = undefined;
    const { supernodes, peer, clock, logger } = this.#options;
    const body: PeerReports = { reporter: peer, reports: this.#reports };
    this.#reports = [];
    for (const { url } of supernodes.map(readSupernode)) {
      if ((this.#asideUntilMs.get(url) ?? 0) > clock.nowMs()) continue;
      if (await this.#post(url, body)) return;
      this.#asideUntilMs.set(url, clock.nowMs() + ASIDE_MS);
    }
    logger.debug({ reports: body.reports.length }, "no supernode takes reports on peers");
  }

  async #post(url: string, body: PeerReports): Promise<boolean> {
    const request = { url: `${url}/api/v1/reports`, method: "POST", body, timeoutMs: TIMEOUT_MS, signal: this.#stopping.signal };
    const answer = await requestJson(request).catch(() => undefined);
    return answer !== undefined && answer.status < 300;
  }
}
