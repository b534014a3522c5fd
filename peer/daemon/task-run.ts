/**
 * One torrent that requests of this host wait for: joins the swarm, goes to the origin where source-decider.ts says so,
 * and settles everybody when the content is whole. Drives.
 *
 * Requests come and go; the download goes on while one is left. A complete torrent goes on serving. Invariant: the
 * timer runs exactly while somebody waits.
 */
import type { Clock } from "../../system/clock.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import { unpaddedBytes } from "../../torrents/geometry.ts";
import { NEEDS_WEBRTC, needsWebrtc, type TrackerStatus } from "../discovery/tracker-tiers.ts";
import { LEAST_PRIORITY } from "../engine/download-shares.ts";
import type { BytesFrom, PieceSpan, Torrent, TorrentStats } from "../engine/types.ts";
import { accountAtEnd, accountSoFar } from "./byte-account.ts";
import { type DownloadRequest, PROGRESS_INTERVAL_MS } from "./daemon-api.ts";
import { FLOW_PAUSE_MS, FlowWatch } from "./flow-watch.ts";
import { lowestLimit } from "./lowest-limit.ts";
import type { OriginReader } from "./origin-reader.ts";
import { originRequest } from "./origin-request.ts";
import { decideSource } from "./source-decider.ts";
import type { TaskEntry } from "./task-entry.ts";
import { type Renew, TaskRenewal } from "./task-renewal.ts";
import type { WebSeeds } from "./web-seeds.ts";

export interface RunOptions {
  readonly torrent: Torrent;
  readonly reader: OriginReader;
  /** Servers that have the content of somebody else's torrent; undefined: it names none. */
  readonly webSeeds?: Pick<WebSeeds, "start" | "stop" | "wasRead">;
  /** Asks the trackers sooner. */
  readonly hurry: () => void;
  /** How its trackers fare. */
  readonly trackers: () => readonly TrackerStatus[];
  /** Asks the supernode for the task once more; undefined: it is none of its tasks. */
  readonly renew?: Renew;
  /** Why nobody else can have this torrent; undefined: others can. */
  readonly alone: string | undefined;
  /** Somebody else made it: its trackers are not ours. */
  readonly foreign: boolean;
  /** What came in an earlier life of the daemon. */
  readonly earlier?: TaskEntry["from"];
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface RunProgress {
  readonly bytes: number;
  readonly rate: number;
  readonly peers: number;
  readonly from: BytesFrom;
}

export interface RunResult {
  readonly from: BytesFrom;
  /** Why the origin was read from here, where it was. */
  readonly reason: string | undefined;
}

interface Member {
  readonly request: DownloadRequest;
  /** Waits for these pieces only; undefined: for all. */
  readonly spans: readonly PieceSpan[] | undefined;
  readonly begin: Pick<TorrentStats, "from" | "bytesHave">;
  readonly onProgress: (progress: RunProgress) => void;
  readonly settle: PromiseWithResolvers<RunResult>;
}

/** A swarm that brings less than this may as well bring nothing. */
const MIN_USEFUL_BYTES_PER_SECOND = 128 * 1024;
const TICK_MS = PROGRESS_INTERVAL_MS;
/** Why servers were read without a question. */
const WEB_SEEDS = "the torrent names web seeds";
/** With fewer connections than this an incomplete download asks trackers more often. */
const ENOUGH_CONNECTIONS = 3;

export class TaskRun {
  readonly torrent: Torrent;
  readonly #options: RunOptions;
  readonly #members = new Set<Member>();
  readonly #cursors = new Set<{ readonly index: number }>();
  readonly #flow = new FlowWatch();
  readonly #renewal: TaskRenewal | undefined;
  #timer: NodeJS.Timeout | undefined;
  #startedAtMs = 0;
  #originEndedAtMs: number | undefined;
  #originError: SkimmerError | undefined;
  #reason: string | undefined;
  #hurried = false;
  /** Only some pieces are wanted. */
  #partly = false;

  constructor(options: RunOptions) {
    this.#options = options;
    this.torrent = options.torrent;
    const { torrent, renew, logger } = options;
    this.#renewal = renew && new TaskRenewal({ torrent, renew, logger });
    this.torrent.on("complete", this.#onComplete);
    this.torrent.on("failed", this.#onFailed);
    this.torrent.on("piece", this.#onPiece);
  }

  get earlier(): TaskEntry["from"] {
    return this.#options.earlier;
  }

  get waiting(): number {
    return this.#members.size;
  }

  /** True while more peers would help. */
  get starving(): boolean {
    return this.#members.size > 0 && !this.torrent.complete && this.torrent.stats.connections < ENOUGH_CONNECTIONS;
  }

  /**
   * Waits until the content, or the pieces of `spans`, are on disk. Rejects with the reason of `signal`, or with why they cannot be had.
   */
  async wait(
    request: DownloadRequest,
    options: { signal: AbortSignal; onProgress: (progress: RunProgress) => void; spans?: readonly PieceSpan[] },
  ): Promise<RunResult> {
    options.signal.throwIfAborted();
    const settle = Promise.withResolvers<RunResult>();
    const { from, bytesHave } = this.torrent.stats;
    const member: Member = { request, spans: options.spans, begin: { from, bytesHave }, onProgress: options.onProgress, settle };
    const leave = (): void => settle.reject(options.signal.reason);
    options.signal.addEventListener("abort", leave, { once: true });
    this.#join(member);
    try {
      return await settle.promise;
    } finally {
      options.signal.removeEventListener("abort", leave);
      this.#leave(member);
    }
  }

  /** A reader of the content in order: the swarm is asked for the pieces ahead of the hindmost reader first. */
  openCursor(): { move(index: number): void; [Symbol.dispose](): void } {
    const cursor = { index: 0 };
    this.#cursors.add(cursor);
    const apply = (): void => {
      const indices = [...this.#cursors].map(({ index }) => index);
      this.torrent.setCursor(indices.length === 0 ? undefined : Math.min(...indices));
    };
    return {
      move: (index) => {
        cursor.index = index;
        apply();
      },
      [Symbol.dispose]: () => {
        this.#cursors.delete(cursor);
        apply();
      },
    };
  }

  /** Stops everything but serving; those who wait are told `error`. */
  async close(error: SkimmerError): Promise<void> {
    this.torrent.off("complete", this.#onComplete);
    this.torrent.off("failed", this.#onFailed);
    this.torrent.off("piece", this.#onPiece);
    this.#rejectAll(error);
    this.#stopTimer();
    await Promise.all([this.#options.reader.stop(), this.#options.webSeeds?.stop()]);
  }

  #join(member: Member): void {
    this.#members.add(member);
    this.#applyLimit();
    if (this.torrent.complete) {
      this.#resolveAll();
      return;
    }
    this.#applyWanted();
    this.#resolveSpans();
    if (this.#timer !== undefined) return;
    this.#startedAtMs = this.#options.clock.nowMs();
    this.#flow.begin(this.torrent.stats);
    this.#originEndedAtMs = undefined;
    this.torrent.download(true);
    this.#options.webSeeds?.start();
    this.#timer = setInterval(this.#tick, TICK_MS);
    this.#tick();
  }

  #leave(member: Member): void {
    this.#members.delete(member);
    if (this.#members.size === 0) {
      this.#stopTimer();
      void this.#options.reader.stop();
      void this.#options.webSeeds?.stop();
    } else {
      this.#applyLimit();
      this.#applyWanted();
    }
  }

  /** What somebody waits for is fetched, and no more. */
  #applyWanted(): void {
    const members = [...this.#members];
    const wanted = members.flatMap(({ spans }) => spans ?? []);
    const all = members.some(({ spans }) => spans === undefined);
    if (all && !this.#partly) return;
    this.#partly = !all;
    // the origin was read for less than what is wanted now
    if (this.#originError === undefined) this.#originEndedAtMs = undefined;
    this.torrent.setWanted(all ? undefined : wanted);
  }

  #resolveSpans(): void {
    for (const member of this.#members) {
      const { spans } = member;
      if (spans?.every((span) => holds(this.torrent, span)) !== true) continue;
      member.settle.resolve({ from: accountSoFar({ begin: member.begin, now: this.torrent.stats }), reason: this.#reason });
    }
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#renewal?.stop();
  }

  /** The most generous and the most urgent of the waiting requests count; one without a limit frees all. */
  #applyLimit(): void {
    this.torrent.setDownloadLimit(this.limitBytesPerSecond);
    const requests = [...this.#members].map(({ request }) => request);
    this.torrent.setPriority(Math.min(LEAST_PRIORITY, ...requests.map(({ priority }) => priority)));
    this.torrent.setSeedersOnly(requests.length > 0 && requests.every(({ pattern }) => pattern === "cdn"));
  }

  get limitBytesPerSecond(): number {
    const limits = [...this.#members].map((member) => member.request.limitBytesPerSecond);
    return limits.length === 0 || limits.includes(0) ? 0 : Math.max(...limits);
  }

  readonly #tick = (): void => {
    const nowMs = this.#options.clock.nowMs();
    this.#flow.observe(this.torrent.stats, nowMs);
    if (this.torrent.complete) {
      this.#resolveAll();
      return;
    }
    for (const member of this.#members) member.onProgress(this.#progressOf(member));
    this.#act(nowMs);
  };

  #act(nowMs: number): void {
    const { stats } = this.torrent;
    const { reader, alone, foreign } = this.#options;
    const decision = decideSource({
      nowMs,
      startedAtMs: this.#startedAtMs,
      lastBytesAtMs: this.#flow.lastBytesAtMs,
      swarmFlowingSinceMs: this.#flow.flowingSinceMs,
      connections: stats.connections,
      seeds: stats.seeds,
      originAllowed: this.#originMember() !== undefined,
      originRunning: reader.running,
      originEndedAtMs: this.#originEndedAtMs,
      slowestPieceMs: this.#slowestPieceMs(),
      alone,
      foreign,
    });
    if (decision.kind === "read_origin") this.#readOrigin(decision.reason);
    if (decision.kind === "leave_origin") void reader.stop();
    if (decision.kind === "give_up") this.#rejectAll(this.#originError ?? this.#renewal?.error ?? this.#noProgress());
    this.#hurryOnce(nowMs);
    const [member] = this.#members;
    const quietMs = nowMs - (this.#flow.lastBytesAtMs ?? this.#startedAtMs);
    if (member !== undefined) this.#renewal?.check({ quietMs, nowMs }, member.request, (error) => this.#rejectAll(error));
  }

  /** Progress shows whole pieces only: how long one may take at the lowest rate that still counts as progress. */
  #slowestPieceMs(): number {
    const rate = lowestLimit(MIN_USEFUL_BYTES_PER_SECOND, this.limitBytesPerSecond);
    return (this.torrent.geometry.pieceLengthBytes / rate) * 1000;
  }

  /** Once each time that the download begins to lack peers; the announcer itself keeps asking after that. */
  #hurryOnce(nowMs: number): void {
    const starving = this.starving && nowMs - this.#startedAtMs > FLOW_PAUSE_MS;
    if (starving && !this.#hurried) this.#options.hurry();
    this.#hurried = starving;
  }

  #readOrigin(reason: string): void {
    const member = this.#originMember();
    if (member === undefined) return;
    this.#reason = reason;
    this.#options.logger.info({ infoHash: this.torrent.infoHash, reason }, "reading the origin");
    void this.#options.reader.read(originRequest(member.request)).then((error) => this.#onOriginEnded(error));
  }

  #onOriginEnded(error: SkimmerError | undefined): void {
    this.#originEndedAtMs = this.#options.clock.nowMs();
    this.#originError = error;
    if (this.#members.size === 0) return;
    if (this.torrent.complete) {
      this.#resolveAll();
      return;
    }
    if (error === undefined) return;
    this.#options.logger.warn({ infoHash: this.torrent.infoHash, code: error.code }, "reading the origin failed");
    const hopeless =
      this.#options.alone !== undefined ||
      this.torrent.stats.connections === 0 ||
      error.code === "origin_changed" ||
      error.code === "disk_full";
    if (hopeless) this.#rejectAll(error);
  }

  #originMember(): Member | undefined {
    for (const member of this.#members) if (!member.request.notbs) return member;
    return undefined;
  }

  #noProgress(): SkimmerError {
    const { connections } = this.torrent.stats;
    const seen = connections === 0 ? "no peer could be reached" : `${connections} peers are connected, and none sends`;
    return new SkimmerError("no_progress", `nothing arrives: ${seen}`, {
      hint: needsWebrtc(this.#options.trackers())
        ? `Note that ${NEEDS_WEBRTC}.`
        : "What was downloaded is kept; run the same command again to go on.",
      retriable: true,
    });
  }

  #progressOf(member: Member): RunProgress {
    const { stats } = this.torrent;
    const from = accountSoFar({ begin: member.begin, now: stats });
    return {
      bytes: Math.min(unpaddedBytes(this.torrent.geometry), stats.bytesHave),
      rate: this.#flow.bytesPerSecond,
      peers: stats.connections,
      from,
    };
  }

  readonly #onComplete = (): void => this.#resolveAll();

  readonly #onPiece = (): void => {
    if (this.#partly) this.#resolveSpans();
  };

  readonly #onFailed = (cause: Error): void => this.#rejectAll(diskError(cause));

  #resolveAll(): void {
    const { reader, webSeeds } = this.#options;
    for (const member of this.#members) {
      const from = accountAtEnd({
        begin: member.begin,
        now: this.torrent.stats,
        lengthBytes: unpaddedBytes(this.torrent.geometry),
        originWasRead: reader.wasRead || webSeeds?.wasRead === true,
      });
      member.settle.resolve({ from, reason: from.origin > 0 ? (this.#reason ?? WEB_SEEDS) : undefined });
    }
    void reader.stop();
    void webSeeds?.stop();
    this.#stopTimer();
  }

  #rejectAll(error: SkimmerError): void {
    for (const member of this.#members) member.settle.reject(error);
    this.#stopTimer();
  }
}

function holds(torrent: Torrent, { first, last }: PieceSpan): boolean {
  for (let index = first; index <= last; index++) if (!torrent.has(index)) return false;
  return true;
}

function diskError(cause: Error): SkimmerError {
  if (cause instanceof SkimmerError) return cause;
  const full = (cause as NodeJS.ErrnoException).code === "ENOSPC";
  if (full)
    return new SkimmerError("disk_full", "the disk of the host's store is full", {
      hint: "Free some space and run the same command again.",
      cause,
    });
  return new SkimmerError("internal", `the host's store failed: ${cause.message}`, { cause });
}
