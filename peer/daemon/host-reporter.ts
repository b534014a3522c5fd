/**
 * Tells the supernodes what this host's torrents do (torrents/host-report.ts), for their stats pages. Drives; best effort.
 *
 * Only torrents of supernodes are told of, and only what changed; a host at which nothing happens says so every 15 seconds. When to report next
 * is the supernode's to say. A supernode that takes no reports, or does not answer, is left alone for a while.
 */
import { hostname } from "node:os";
import type { Clock } from "../../system/clock.ts";
import { requestJson } from "../../system/json-http.ts";
import type { Logger } from "../../system/logger.ts";
import { VERSION } from "../../system/options.ts";
import { tokenHeaders } from "../../system/supernode-token.ts";
import type { HostReport, TaskStatus } from "../../torrents/host-report.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import { parseHostReportAnswer } from "../../torrents/parse-host-report.ts";
import type { HostLabels } from "../../torrents/task-api.ts";
import { StatusNotes } from "../engine/status-notes.ts";
import type { Torrent } from "../engine/types.ts";
import { readSupernode } from "./check-request.ts";

export interface HostReporterOptions {
  readonly supernodes: readonly string[];
  /** For their API; absent: none. */
  readonly token?: string;
  readonly peer: { readonly id: PeerId; readonly port: number } & HostLabels;
  readonly torrents: ReadonlyMap<InfoHash, Torrent>;
  /** Whether a supernode made the torrent: others are nobody's business. */
  readonly isSupernodes: (infoHash: InfoHash) => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Listener {
  readonly url: string;
  readonly notes: StatusNotes;
  nextMs: number;
  toldMs: number;
  busy: boolean;
}

const TICK_MS = 1_000;
const FIRST_NEXT_MS = 1_000;
/** A host at which nothing changes is heard of this often. */
const IDLE_MS = 15_000;
const ASIDE_MS = 10_000;
const TIMEOUT_MS = 5_000;
const LAST_WORD_MS = 1_000;
const MAX_ANSWER_BYTES = 4096;
const MOST_SUPERNODES = 8;

export class HostReporter implements AsyncDisposable {
  readonly #options: HostReporterOptions;
  readonly #listeners: readonly Listener[];
  readonly #startedMs: number;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HostReporterOptions) {
    this.#options = options;
    this.#startedMs = options.clock.nowMs();
    this.#listeners = options.supernodes.slice(0, MOST_SUPERNODES).map((supernode) => ({
      url: `${readSupernode(supernode).url}/api/v1/host-reports`,
      notes: new StatusNotes(),
      nextMs: this.#startedMs + FIRST_NEXT_MS,
      toldMs: Number.NEGATIVE_INFINITY,
      busy: false,
    }));
  }

  /** Begins to report. */
  start(): void {
    this.#timer = setInterval(() => {
      for (const listener of this.#listeners) void this.#report(listener);
    }, TICK_MS);
    this.#timer.unref();
  }

  /** A torrent ends: what came of it is told too. */
  closing(torrent: Torrent): void {
    if (!this.#options.isSupernodes(torrent.infoHash)) return;
    for (const { notes } of this.#listeners) notes.closing(torrent);
  }

  /** Says the last word to supernodes that listen, within a bounded time. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    const heard = this.#listeners.filter(({ toldMs, nextMs }) => toldMs > Number.NEGATIVE_INFINITY && nextMs < toldMs + ASIDE_MS);
    const signal = AbortSignal.timeout(LAST_WORD_MS);
    await Promise.all(
      heard.map(async (listener) => {
        const tasks = listener.notes.collect(this.#torrents());
        if (tasks.length > 0) await this.#send(listener, tasks, signal).catch(() => undefined);
      }),
    );
  }

  /** Never rejects. */
  async #report(listener: Listener): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    if (listener.busy || nowMs < listener.nextMs) return;
    listener.notes.retain(this.#options.torrents);
    const tasks = listener.notes.collect(this.#torrents());
    if (tasks.length === 0 && nowMs - listener.toldMs < IDLE_MS) return;
    listener.busy = true;
    try {
      await this.#send(listener, tasks, this.#stopping.signal);
    } catch (error) {
      listener.nextMs = this.#options.clock.nowMs() + ASIDE_MS;
      this.#options.logger.debug({ err: String(error), url: listener.url }, "the supernode takes no host reports");
    }
    listener.busy = false;
  }

  async #send(listener: Listener, tasks: readonly TaskStatus[], signal: AbortSignal): Promise<void> {
    const { clock, peer, token } = this.#options;
    const body: HostReport = {
      peer,
      name: hostname().slice(0, 255),
      version: VERSION,
      uptimeSeconds: Math.round((clock.nowMs() - this.#startedMs) / 1000),
      whole: listener.notes.whole,
      tasks,
    };
    const headers = tokenHeaders(token);
    const bounds = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES, signal };
    const { status, body: answered } = await requestJson({ url: listener.url, method: "POST", headers, body, ...bounds });
    if (status >= 300) throw new Error(`status ${status}`);
    const answer = parseHostReportAnswer(answered);
    if (answer.whole) listener.notes.reset();
    else listener.notes.confirm(tasks);
    listener.toldMs = clock.nowMs();
    listener.nextMs = listener.toldMs + (answer.whole ? 0 : answer.nextSeconds * 1000);
  }

  #torrents(): Torrent[] {
    return [...this.#options.torrents.values()].filter(({ infoHash }) => this.#options.isSupernodes(infoHash));
  }
}
