/**
 * The host daemon put together: engine, store, planner, API. Drives its start and its end.
 * One daemon per home: the lock comes first, and goes last.
 */
import { mkdir, rm, unlink } from "node:fs/promises";
import { type OriginOptions, openOrigin } from "../../origin/open-origin.ts";
import type { OriginListing, OriginStats, SharedOrigin } from "../../origin/types.ts";
import { formatHostPort, type HostPort, reachableHost } from "../../system/addresses.ts";
import type { CacheSize } from "../../system/cache-size.ts";
import { type Clock, realClock } from "../../system/clock.ts";
import { SkimmerError, toSkimmerError } from "../../system/errors.ts";
import { acquireLock } from "../../system/lock-file.ts";
import type { Logger } from "../../system/logger.ts";
import { VERSION } from "../../system/options.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { HostLabels } from "../../torrents/task-api.ts";
import { spareShare } from "../discovery/announce-plan.ts";
import type { DiscoverySettings } from "../discovery/discovery.ts";
import type { EncryptionPolicy } from "../engine/mse/encryption-policy.ts";
import type { Engine } from "../engine/types.ts";
import { openCalls } from "../webrtc/open-calls.ts";
import type { AdvertisedPlace } from "./advertised-place.ts";
import { type ApiTarget, type DownloadIo, makeApiServer } from "./api-server.ts";
import { CacheKeeper } from "./cache-keeper.ts";
import type {
  DaemonInfo,
  DownloadEvent,
  DownloadRequest,
  HostLimits,
  ListRequest,
  SeedRequest,
  SeedResult,
  TaskDetail,
  TaskRow,
  TorrentListing,
  TorrentWish,
} from "./daemon-api.ts";
import { closeServer, stopRunningDaemon, TAKE_OVER_MS } from "./daemon-ends.ts";
import { type DownloadParts, runDownload } from "./download.ts";
import { Planner, type PlannerOptions } from "./download-plan.ts";
import { fetchTorrentInfo } from "./fetch-torrent-info.ts";
import { refuseCallersFiles, refuseOthersContent } from "./group-guard.ts";
import { type HomePaths, ownerSocket } from "./home-paths.ts";
import { HostRates } from "./host-rates.ts";
import { HostReporter } from "./host-reporter.ts";
import { IdleTimer } from "./idle-timer.ts";
import { InlineStore } from "./inline-store.ts";
import { listFolder } from "./list-folder.ts";
import { listenSocket } from "./listen-socket.ts";
import { openLocalKey } from "./local-key.ts";
import { type Content, openContent, openStored } from "./open-content.ts";
import { canFindPeers, openDiscovery } from "./open-discovery.ts";
import { openEngineAt } from "./open-engine-at.ts";
import { OpenRuns } from "./open-runs.ts";
import { outsideAddresses } from "./outside-addresses.ts";
import { PeerReporter } from "./peer-reporter.ts";
import { resumeSeeding } from "./resume-seeding.ts";
import { seedFile } from "./seed-file.ts";
import { SupernodeClient } from "./supernode-client.ts";
import { SupernodeList } from "./supernode-list.ts";
import { TaskIndex } from "./task-index.ts";
import { isSupernodes } from "./task-openness.ts";
import { TaskViews } from "./task-views.ts";
import type { Viewer } from "./torrent-places.ts";
import type { WebrtcSettings } from "./webrtc-options.ts";

export interface DaemonOptions {
  readonly paths: HomePaths;
  readonly supernodes: readonly string[];
  /** For their API; absent: none. */
  readonly token?: string;
  readonly peerListen: HostPort;
  /** True: another port is no substitute for a taken one. */
  readonly peerPortGiven: boolean;
  /** Bytes per second; 0 is unlimited. */
  readonly uploadBytesPerSecond: number;
  readonly encryption: EncryptionPolicy;
  readonly downloadBytesPerSecond: number;
  /** Where this host is, for the supernode's choice of peers; absent: by its address. */
  readonly labels?: HostLabels;
  /** Where other hosts reach the peer port; absent: at the address that a supernode sees. */
  readonly advertise?: AdvertisedPlace;
  /** Local discovery and DHT; absent: neither. */
  readonly discovery?: DiscoverySettings;
  /** Use WebSocket trackers, and exchange data with browsers; absent: no. */
  readonly webrtc?: WebrtcSettings;
  /** Of all downloads of one priority together, by priority; absent: unlimited. */
  readonly classBytesPerSecond?: ReadonlyMap<number, number>;
  /** Where origins are read from, and how fast; absent: the defaults. */
  readonly origin?: OriginOptions;
  /** Leave after so long without a request; 0: never. */
  readonly idleExitMs: number;
  /** Most content of the store; 0 bytes or absent: no bound. */
  readonly cacheSize?: CacheSize;
  /** Unused content goes after so long; 0 or absent: never. */
  readonly expireMs?: number;
  /** Group that may use the socket too. */
  readonly socketGroup?: number;
  /** True: a daemon that runs for this home stops, and this one takes its place. */
  readonly takeOver?: boolean;
  /** Called when the daemon wants to end: idle, or asked to. */
  readonly onStop: () => void;
  readonly logger: Logger;
}

export class Daemon implements ApiTarget, AsyncDisposable {
  readonly #options: DaemonOptions;
  readonly #engine: Engine;
  readonly #runs: OpenRuns;
  readonly #index: TaskIndex;
  readonly #parts: DownloadParts;
  readonly #idle: IdleTimer;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #open: AsyncDisposableStack;
  readonly #origin: SharedOrigin;
  readonly #keeper: CacheKeeper;
  readonly #rates: HostRates;
  readonly #views: TaskViews;
  #uploadedBytes = 0;
  #mirror: string | undefined;
  readonly #ending = new AbortController();

  private constructor(
    options: DaemonOptions,
    open: {
      stack: AsyncDisposableStack;
      engine: Engine;
      index: TaskIndex;
      runs: OpenRuns;
      parts: DownloadParts;
      origin: SharedOrigin;
      keeper: CacheKeeper;
      views: TaskViews;
    },
  ) {
    this.#options = options;
    this.#engine = open.engine;
    this.#index = open.index;
    this.#runs = open.runs;
    this.#parts = open.parts;
    this.#views = open.views;
    this.#open = open.stack;
    this.#clock = open.parts.clock;
    this.#startedMs = this.#clock.nowMs();
    this.#origin = open.origin;
    this.#keeper = open.keeper;
    this.#rates = new HostRates(open, {
      upload: options.uploadBytesPerSecond,
      download: options.downloadBytesPerSecond,
      backToSource: options.origin?.limits?.bytesPerSecond ?? 0,
      priorities: Object.fromEntries(options.classBytesPerSecond ?? []),
    });
    this.#idle = new IdleTimer({ idleMs: options.idleExitMs, onIdle: options.onStop, isActive: () => this.#uploadedSince() });
  }

  /** Starts everything and listens. Rejects with SkimmerError `already_running`, `address_in_use`, `output_unwritable`. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { paths, logger } = options;
    await using stack = new AsyncDisposableStack();
    await mkdir(paths.home, { recursive: true, mode: 0o700 });
    if (options.takeOver) await stopRunningDaemon(paths.socket);
    stack.use(await acquireLock(paths.lock, { waitMs: options.takeOver ? TAKE_OVER_MS : 0 }));
    await rm(paths.spool, { recursive: true, force: true });
    const [key, index] = await Promise.all([openLocalKey(paths.key), TaskIndex.open(paths.tasks)]);
    const engine = stack.use(await openEngineAt(options));
    const origin = openOrigin(options.origin);
    stack.defer(() => origin.close());
    const common = { index, origin, key, engine, clock: realClock, logger, epochMs: () => Date.now() };
    const peer = { id: engine.peerId, port: engine.advertisedPort, host: options.advertise?.host, ...options.labels };
    const ours = { torrents: engine.torrents, isSupernodes: (infoHash: InfoHash): boolean => isSupernodes(index.get(infoHash)) };
    const told = { supernodes: options.supernodes, token: options.token, peer, ...ours, clock: realClock, logger };
    const reporter = stack.use(new PeerReporter({ ...told, trackersOf: (infoHash) => index.get(infoHash)?.trackers ?? [] }));
    const hostReporter = stack.use(new HostReporter(told));
    let started: Daemon | undefined;
    const { labels = {}, discovery: settings, supernodes } = options;
    const spare = (): number | undefined => started?.spare;
    const calls = options.webrtc && stack.use(await openCalls(engine.address, options.webrtc));
    const discovery = stack.use(openDiscovery({ settings, engine, calls, supernodes, labels, spare, dhtFile: paths.dhtNodes, logger }));
    const runs: OpenRuns = new OpenRuns({
      ...common,
      discovery,
      renew: (request, signal) => planner.planSwarm(request, signal),
      onBanned: (infoHash, banned) => reporter.note(infoHash, banned),
      onClosing: (torrent) => hostReporter.closing(torrent),
    });
    hostReporter.start();
    stack.defer(() => runs.close());
    const client = new SupernodeClient({ list: new SupernodeList(), token: options.token, peer, clock: realClock, logger });
    const fetchInfos: PlannerOptions["fetchInfos"] = (source, { signal }) => fetchTorrentInfo(source, { engine, discovery, signal });
    const plans = { supernodes: options.supernodes, client, fetchInfos, patienceMs: PATIENCE_MS, webrtc: discovery.webrtc };
    const planner: Planner = new Planner({ ...common, ...plans, canFindPeers: (entry) => canFindPeers(discovery, entry) });
    const keeper = stack.use(
      new CacheKeeper({ ...common, runs, home: paths.home, size: options.cacheSize ?? { bytes: 0 }, expireMs: options.expireMs ?? 0 }),
    );
    const inlineStore = new InlineStore({ runs, index, logger });
    stack.defer(() => inlineStore.settled());
    const parts: DownloadParts = { ...common, planner, runs, inlineStore, spoolFolder: paths.spool };
    const views = new TaskViews({ ...parts, discovery });
    const daemon = new Daemon(options, { stack: stack.move(), engine, index, runs, parts, origin, keeper, views });
    started = daemon;
    await daemon.#listen();
    const resumed = resumeSeeding({ index, runs, logger, signal: daemon.#ending.signal });
    daemon.#open.defer(() => resumed);
    return daemon;
  }

  /** Per cent of the upload limit that is unused; undefined where there is none. */
  get spare(): number | undefined {
    let bytesPerSecond = 0;
    for (const { stats } of this.#engine.torrents.values()) bytesPerSecond += stats.uploadBytesPerSecond;
    return spareShare({ bytesPerSecond, limitBytesPerSecond: this.#rates.now.upload });
  }

  /** `host:port` of the peer port, as somebody on this machine dials it. */
  get peerAddress(): string {
    const { host, port } = this.#engine.address;
    return formatHostPort({ host: reachableHost(host), port });
  }

  /** What metrics are made of. */
  get figures(): { engine: Engine; originStats: () => OriginStats } {
    return { engine: this.#engine, originStats: () => this.#origin.stats() };
  }

  async download(request: DownloadRequest, io: DownloadIo): Promise<DownloadEvent> {
    const end = this.#idle.begin();
    const { logger } = this.#options;
    try {
      const signal = AbortSignal.any([io.signal, this.#ending.signal]);
      const { socketGroup } = this.#options;
      refuseCallersFiles(request, socketGroup);
      refuseOthersContent(request.torrent && this.#index.findByHashes(request.torrent.hashes), socketGroup);
      const done = await runDownload(this.#parts, request, { ...io, signal });
      void this.#keeper.check();
      logger.info(
        { infoHash: done.infoHash, bytes: done.bytes, seconds: done.seconds, from: done.from, reason: done.reason },
        "download done",
      );
      return done;
    } catch (thrown) {
      const error = toSkimmerError(thrown);
      logger.warn({ code: error.code, err: error.code === "internal" ? thrown : error.message }, "download failed");
      throw error;
    } finally {
      end();
    }
  }

  /** Content to read in ranges, for the mirror. `stored`: only what the store holds in full, without asking the origin. */
  async content(request: DownloadRequest, { signal, stored }: { signal: AbortSignal; stored?: boolean }): Promise<Content | undefined> {
    const end = this.#idle.begin();
    try {
      const both = AbortSignal.any([signal, this.#ending.signal]);
      const content = stored ? await openStored(this.#parts, request) : await openContent(this.#parts, request, both);
      if (content === undefined) end();
      return content && this.#held(content, end);
    } catch (thrown) {
      end();
      throw thrown;
    }
  }

  /** The daemon is busy until the content is let go. */
  #held(content: Content, end: () => void): Content {
    const dispose = content[Symbol.asyncDispose].bind(content);
    return Object.assign(content, {
      [Symbol.asyncDispose]: async () => {
        try {
          await dispose();
        } finally {
          end();
        }
        void this.#keeper.check();
      },
    });
  }

  /** Where the mirror listens; dfget doctor looks at it. */
  noteMirror(url: string): void {
    this.#mirror = url;
  }

  tasks(viewer: Viewer): TaskRow[] {
    return this.#views.rows(viewer);
  }

  task(infoHash: InfoHash, viewer: Viewer): TaskDetail | undefined {
    return this.#views.detail(infoHash, viewer);
  }

  limits(): Required<HostLimits> {
    return this.#rates.now;
  }

  /** In force at once, until the daemon ends. */
  setLimits(change: HostLimits): void {
    this.#rates.change(change);
  }

  async seed(request: SeedRequest, { signal }: { signal: AbortSignal }): Promise<SeedResult> {
    if (this.#options.socketGroup !== undefined)
      throw new SkimmerError("bad_request", "a daemon that serves a group reads no files of its callers", {
        hint: "Use --home with a folder of your own.",
      });
    using _ = { [Symbol.dispose]: this.#idle.begin() };
    const { advertise } = this.#options;
    const hosts = advertise === undefined ? outsideAddresses() : [advertise.host];
    const peers = hosts.map((host) => formatHostPort({ host, port: this.#engine.advertisedPort }));
    return await seedFile(request, {
      parts: this.#parts,
      supernodes: this.#options.supernodes,
      peers,
      signal: AbortSignal.any([signal, this.#ending.signal]),
    });
  }

  async describeTorrent({ torrent }: TorrentWish, options: { viewer: Viewer; signal: AbortSignal }): Promise<TorrentListing> {
    using _ = { [Symbol.dispose]: this.#idle.begin() };
    return await this.#views.torrent(torrent, { ...options, signal: AbortSignal.any([options.signal, this.#ending.signal]) });
  }

  async list(request: ListRequest, { signal }: { signal: AbortSignal }): Promise<OriginListing> {
    using _ = { [Symbol.dispose]: this.#idle.begin() };
    return await listFolder(this.#origin, request, { signal: AbortSignal.any([signal, this.#ending.signal]) });
  }

  /** True where peers got something from here since the last question. */
  #uploadedSince(): boolean {
    let total = 0;
    for (const torrent of this.#engine.torrents.values()) total += torrent.stats.uploadedBytes;
    const grown = total > this.#uploadedBytes;
    this.#uploadedBytes = total;
    return grown;
  }

  info(): DaemonInfo {
    const { paths, supernodes } = this.#options;
    return {
      pid: process.pid,
      version: VERSION,
      home: paths.home,
      socket: paths.socket,
      peer: this.peerAddress,
      advertised: { host: this.#options.advertise?.host, port: this.#engine.advertisedPort },
      peerId: this.#engine.peerId,
      supernodes,
      webrtc: this.#options.webrtc !== undefined,
      mirror: this.#mirror,
      bannedPeers: this.#engine.banned.length,
      activeDownloads: this.#idle.busy,
      torrents: this.#engine.torrents.size,
      uptimeSeconds: Math.round((this.#clock.nowMs() - this.#startedMs) / 1000),
    };
  }

  async removeTask(infoHash: InfoHash): Promise<boolean> {
    const entry = this.#index.findByHashes([infoHash]);
    for (const hash of [entry?.infoHash, entry?.twin]) if (hash !== undefined) await this.#runs.remove(hash);
    return entry !== undefined;
  }

  stop(): void {
    this.#options.onStop();
  }

  /** Ends every request, tells the trackers, flushes, and lets go of socket, port and lock. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#idle.stop();
    this.#ending.abort(
      new SkimmerError("cancelled", "the daemon was stopped", {
        hint: "What was downloaded is kept; run the same command again to go on.",
        retriable: true,
      }),
    );
    await this.#open.disposeAsync();
  }

  async #listen(): Promise<void> {
    const { paths, logger, socketGroup } = this.#options;
    // a group may download; what the whole host feels is for the daemon's own user
    const own = socketGroup === undefined ? [] : [{ path: ownerSocket(paths.socket), group: undefined }];
    for (const { path, group } of [...own, { path: paths.socket, group: socketGroup }]) {
      const server = makeApiServer(this, logger, { everybody: group !== undefined });
      this.#open.defer(() => closeServer(server));
      try {
        await listenSocket(server, path, group);
      } catch (thrown) {
        await this[Symbol.asyncDispose]();
        throw thrown;
      }
      // First to go: nobody shall find a socket behind which everything is ending.
      this.#open.defer(() => unlink(path).catch(() => undefined));
    }
  }
}

/** Longer than a supernode takes to start again. */
const PATIENCE_MS = 5_000;
