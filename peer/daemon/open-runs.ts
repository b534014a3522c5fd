/**
 * The torrents that this daemon has open, each once, however many requests use it. Drives.
 *
 * Complete torrents stay open and serve, at most MAX_OPEN of them; incomplete ones are closed when their last request
 * leaves, and what they verified stays on disk. A data file that is also somebody's output is looked at every few seconds:
 * changed, it is no longer ours, and the task is forgotten. Invariant: opening and closing of one info hash never overlap.
 */
import type { KeyObject } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Origin } from "../../origin/types.ts";
import type { Clock } from "../../system/clock.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import { geometryOf } from "../../torrents/geometry.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { Discovery } from "../discovery/discovery.ts";
import type { Membership } from "../discovery/membership.ts";
import type { TrackerStatus } from "../discovery/tracker-tiers.ts";
import type { BannedPeer } from "../engine/peer-conduct.ts";
import type { Engine, Torrent, TorrentSpec } from "../engine/types.ts";
import { addAccounts } from "./byte-account.ts";
import type { OpenTask } from "./download-plan.ts";
import { mergePlaces } from "./merge-places.ts";
import { OriginReader } from "./origin-reader.ts";
import { type LinkedFile, MAX_KNOWN_PEERS, type TaskEntry } from "./task-entry.ts";
import { areIntact, isLinkIntact, type TaskIndex } from "./task-index.ts";
import { isSupernodes, opennessOf } from "./task-openness.ts";
import type { Renew } from "./task-renewal.ts";
import { TaskRun } from "./task-run.ts";
import { describeInfos, readPeer } from "./torrent-source.ts";
import { WebSeeds } from "./web-seeds.ts";

export interface OpenRunsOptions {
  readonly engine: Engine;
  readonly index: TaskIndex;
  readonly origin: Origin;
  readonly key: KeyObject;
  readonly discovery: Pick<Discovery, "join" | "addDhtNodes">;
  readonly clock: Clock;
  readonly renew: Renew;
  /** Hears of peers that were banned for what they did in a supernode's torrent. */
  readonly onBanned: (infoHash: InfoHash, peer: BannedPeer) => void;
  /** Hears of a torrent whose figures are final, before it is closed. */
  readonly onClosing: (torrent: Torrent) => void;
  readonly logger: Logger;
}

interface OpenRun {
  readonly run: TaskRun;
  readonly membership: Membership;
  readonly webSeeds: WebSeeds | undefined;
  /** Requests between open() and their handle's disposal. */
  users: number;
  /** Peers other than seeders are asked for too. */
  sociable: boolean;
  /** Forget the task when the last user leaves. */
  discard: boolean;
  /** Becomes known after the torrent was opened; writes wait for nobody. */
  readonly offs: () => void;
}

/** A request's hold on an open torrent. */
export interface RunHandle extends AsyncDisposable {
  readonly run: TaskRun;
  /** The task goes away with its last user: wrong or unrepeatable content. */
  discard(): void;
}

const MAX_OPEN = 256;
const LINK_CHECK_MS = 2_000;
/** Most files of a torrent that are looked at in one round. */
const MOST_LOOKS = 1000;
const STOP_ANNOUNCE_MS = 2_000;

export class OpenRuns {
  readonly #options: OpenRunsOptions;
  /** In the order of last use. */
  readonly #open = new Map<InfoHash, OpenRun>();
  readonly #turns = new Map<InfoHash, Promise<unknown>>();
  readonly #linkTimer: NodeJS.Timeout;
  #closed = false;
  #linkRound = 0;

  constructor(options: OpenRunsOptions) {
    this.#options = options;
    this.#linkTimer = setInterval(() => void this.#checkLinks(), LINK_CHECK_MS);
    this.#linkTimer.unref();
  }

  get(infoHash: InfoHash): TaskRun | undefined {
    return this.#open.get(infoHash)?.run;
  }

  /** How the trackers of an open torrent fare. */
  trackersOf(infoHash: InfoHash): readonly TrackerStatus[] {
    return this.#open.get(infoHash)?.membership.trackers ?? [];
  }

  /** True while a request uses it. */
  isHeld(infoHash: InfoHash): boolean {
    return (this.#open.get(infoHash)?.users ?? 0) > 0 || this.#turns.has(infoHash);
  }

  /** Opens the torrent, or joins the one that is open. Rejects with SkimmerError `disk_full`, `cancelled`. */
  async open(task: OpenTask): Promise<RunHandle> {
    const { infoHash } = task.entry;
    const open = await this.#inTurn(infoHash, async () => {
      if (this.#closed) throw new SkimmerError("cancelled", "the daemon is stopping", { retriable: true });
      if (!(await isLinkIntact(task.entry))) await this.#forgetChanged(task);
      const running = this.#open.get(infoHash);
      if (running !== undefined) await this.#learn(running, task);
      const found = running ?? (await this.#begin(task));
      this.#open.delete(infoHash);
      this.#open.set(infoHash, found);
      found.users++;
      if (!task.seedersOnly) found.sociable = true;
      return found;
    });
    open.run.torrent.addPeers(task.peers);
    this.#closeIdlest();
    let held = true;
    return {
      run: open.run,
      discard: () => {
        open.discard = true;
      },
      [Symbol.asyncDispose]: async () => {
        if (held) await this.#release(infoHash, open);
        held = false;
      },
    };
  }

  /** Ends what waits for the task and removes it from the disk. */
  async remove(infoHash: InfoHash): Promise<void> {
    await this.#inTurn(infoHash, () => this.#forget(infoHash));
  }

  /** Closes it and keeps what is on the disk, so that it can be opened with other trackers. */
  async pause(infoHash: InfoHash): Promise<void> {
    await this.#inTurn(infoHash, () => this.#end(infoHash, new SkimmerError("cancelled", "the task is opened anew", { retriable: true })));
  }

  /** Closes everything; trackers are told `stopped` within a bounded time. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#linkTimer);
    const stopping = new SkimmerError("cancelled", "the daemon was stopped", {
      hint: "What was downloaded is kept; run the same command again to go on.",
      retriable: true,
    });
    await Promise.allSettled([...this.#open.keys()].map((infoHash) => this.#inTurn(infoHash, () => this.#end(infoHash, stopping))));
  }

  /** Runs `work` after everything that was asked before for this info hash. */
  async #inTurn<T>(infoHash: InfoHash, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(infoHash) ?? Promise.resolve()).then(work, work);
    this.#turns.set(infoHash, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(infoHash) === turn) this.#turns.delete(infoHash);
    }
  }

  async #begin(task: OpenTask): Promise<OpenRun> {
    const { index, origin, clock, logger, discovery } = this.#options;
    const { entry } = task;
    // first: a task without its dicts could never be opened again
    if (task.infos !== undefined) await index.saveInfos(entry.infoHash, task.infos);
    const torrent = await this.#add(
      await this.#specOf(task),
      (entry.linked ?? entry.watched) !== undefined && entry.inPlace === undefined && index.get(entry.infoHash) === undefined
        ? { ...entry, complete: false, linked: undefined, watched: undefined, sha256: undefined, md5: undefined }
        : entry,
    );
    const ours = entry.liveInfo !== undefined || entry.local === true;
    let run: TaskRun | undefined;
    let open: OpenRun | undefined;
    const reader = new OriginReader({ torrent, validators: entry.validators, origin });
    const membership = discovery.join({
      torrent,
      trackers: entry.trackers,
      openness: opennessOf(entry),
      ours,
      dhtNodes: (entry.dhtNodes ?? []).flatMap(readPeer),
      starving: () => run?.starving ?? false,
      sociable: () => open?.sociable ?? !task.seedersOnly,
    });
    if (!task.seedersOnly) torrent.addPeers(entry.knownPeers ?? []);
    const webSeeds = this.#webSeedsOf(task, torrent);
    run = new TaskRun({
      torrent,
      reader,
      webSeeds,
      hurry: () => membership.hurry(),
      trackers: () => membership.trackers,
      alone: task.alone,
      foreign: !ours,
      renew: task.alone === undefined && isSupernodes(entry) ? this.#options.renew : undefined,
      earlier: index.get(entry.infoHash)?.from,
      clock,
      logger,
    });
    const offs = this.#remember(run);
    open = { run, membership, webSeeds, users: 0, sociable: !task.seedersOnly, discard: entry.volatile, offs };
    this.#open.set(entry.infoHash, open);
    return open;
  }

  /** Its files are opened while its entry is written. */
  async #add(spec: TorrentSpec, entry: TaskEntry): Promise<Torrent> {
    const { engine, index } = this.#options;
    const [added, saved] = await Promise.allSettled([engine.add(spec), index.save(entry)]);
    if (added.status === "rejected") throw added.reason;
    if (saved.status === "fulfilled") return added.value;
    await engine.remove(added.value);
    throw saved.reason;
  }

  /** Where somebody else's torrent may be found, as it was said now: it holds at once, and the next time. */
  async #learn({ membership, webSeeds }: OpenRun, { entry }: OpenTask): Promise<void> {
    const { index, discovery } = this.#options;
    const known = index.get(entry.infoHash);
    if (known === undefined || known.liveInfo !== undefined || known.local || known.inPlace !== undefined) return;
    const places = mergePlaces(known, entry);
    if (isDeepStrictEqual(places, mergePlaces(known, known))) return;
    await index.update(entry.infoHash, places);
    membership.useTrackers(places.trackers);
    webSeeds?.add(places.webSeeds ?? []);
    discovery.addDhtNodes((places.dhtNodes ?? []).flatMap(readPeer), opennessOf(known));
  }

  /** Only of torrents that somebody else made: ours have their origin, with its own rules. */
  #webSeedsOf({ entry, layout }: OpenTask, torrent: Torrent): WebSeeds | undefined {
    if (layout === undefined || entry.inPlace !== undefined) return undefined;
    const { origin, logger } = this.#options;
    return new WebSeeds({ torrent, layout, urls: entry.webSeeds ?? [], origin, random: Math.random, logger });
  }

  async #specOf(task: OpenTask): Promise<TorrentSpec> {
    const { entry, final } = task;
    const bytes = (base64: string): Buffer => Buffer.from(base64, "base64");
    const known =
      entry.liveInfo === undefined ? await this.#specOfAdded(entry) : { liveInfo: bytes(entry.liveInfo), geometry: geometryOf(entry) };
    return {
      directory: this.#options.index.directory(entry.infoHash),
      name: entry.name,
      ...known,
      ...(final === undefined
        ? {}
        : {
            infoV1: bytes(final.infoV1),
            infoV2: bytes(final.infoV2),
            pieceLayer: bytes(final.pieceLayer),
            finalSignature: bytes(final.signature),
          }),
      ...(entry.local ? { signer: this.#options.key } : {}),
    };
  }

  /** A torrent that has its info dicts from the start. */
  async #specOfAdded({
    infoHash,
    inPlace,
    complete,
  }: TaskEntry): Promise<Pick<TorrentSpec, "geometry" | "layout" | "inPlace" | "verified">> {
    const infos = await this.#options.index.readInfos(infoHash);
    const { geometry, layout } = describeInfos(infos);
    return { ...infos, geometry, layout, ...(inPlace === undefined ? {} : { inPlace, ...(complete ? { verified: true } : {}) }) };
  }

  /** Writes down what becomes known later: completeness, final hashes. */
  #remember(run: TaskRun): () => void {
    const { torrent } = run;
    const { index, logger } = this.#options;
    const { earlier } = run;
    const save = (): void => {
      const { v1, v2 } = torrent.infoHashes;
      const peers = torrent.peers.filter(({ port }) => port > 0).slice(0, MAX_KNOWN_PEERS);
      const known = {
        complete: torrent.complete,
        from: addAccounts(earlier, torrent.stats.from),
        ...(peers.length === 0 ? {} : { knownPeers: peers.map(({ host, port }) => ({ host, port })) }),
        ...(v1 === undefined ? {} : { infoHashV1: v1 }),
        ...(v2 === undefined ? {} : { infoHashV2: v2 }),
      };
      index
        .update(torrent.infoHash, known)
        .catch((error: unknown) => logger.warn({ err: error, infoHash: torrent.infoHash }, "task.json could not be written"));
    };
    const onBanned = (peer: BannedPeer): void => this.#options.onBanned(torrent.infoHash, peer);
    if (isSupernodes(index.get(torrent.infoHash))) torrent.on("banned", onBanned);
    torrent.on("complete", save);
    torrent.on("final", save);
    if (torrent.complete && index.get(torrent.infoHash)?.complete === false) save();
    return () => {
      torrent.off("complete", save).off("final", save).off("banned", onBanned);
      if (torrent.stats.piecesHave > 0) save();
    };
  }

  async #release(infoHash: InfoHash, open: OpenRun): Promise<void> {
    open.users--;
    if (open.users > 0 || this.#open.get(infoHash) !== open) return;
    await this.#inTurn(infoHash, async () => {
      if (open.users > 0 || this.#open.get(infoHash) !== open) return;
      if (open.discard) await this.#forget(infoHash);
      else if (!open.run.torrent.complete)
        await this.#end(infoHash, new SkimmerError("cancelled", "nobody waits for this download any more"));
    });
  }

  async #forget(infoHash: InfoHash): Promise<void> {
    await this.#end(infoHash, new SkimmerError("cancelled", "the task was removed"));
    await this.#options.index.remove(infoHash);
  }

  /** Rejects with SkimmerError `origin_changed` where nothing is left to begin anew with. */
  async #forgetChanged({ entry, infos }: OpenTask): Promise<void> {
    await this.#forget(entry.infoHash);
    if (entry.inPlace === undefined && (entry.liveInfo ?? infos) !== undefined) return;
    throw new SkimmerError("origin_changed", `the files of ${entry.name} were changed`, {
      hint: "Run the command again, or share them again with dfget seed.",
    });
  }

  async #end(infoHash: InfoHash, error: SkimmerError): Promise<void> {
    const open = this.#open.get(infoHash);
    if (open === undefined) return;
    this.#open.delete(infoHash);
    open.offs();
    await open.run.close(error);
    this.#options.onClosing(open.run.torrent);
    await Promise.all([open.membership.stop(AbortSignal.timeout(STOP_ANNOUNCE_MS)), this.#options.engine.remove(open.run.torrent)]);
  }

  #closeIdlest(): void {
    if (this.#open.size <= MAX_OPEN) return;
    const idle = [...this.#open].find(([, open]) => open.users === 0);
    if (idle === undefined) return;
    const [infoHash, open] = idle;
    void this.#inTurn(infoHash, async () => {
      if (open.users === 0 && this.#open.get(infoHash) === open)
        await this.#end(infoHash, new SkimmerError("cancelled", "too many torrents are open"));
    });
  }

  /** The files to look at now: of many, some at a time in turn. */
  #watchedOf({ linked, watched = [] }: TaskEntry): LinkedFile[] {
    const begin = watched.length > MOST_LOOKS ? (this.#linkRound * MOST_LOOKS) % watched.length : 0;
    return [...(linked === undefined ? [] : [linked]), ...watched.slice(begin, begin + MOST_LOOKS)];
  }

  async #checkLinks(): Promise<void> {
    this.#linkRound++;
    for (const infoHash of this.#open.keys()) {
      const entry = this.#options.index.get(infoHash);
      if (entry === undefined || (await areIntact(this.#watchedOf(entry)))) continue;
      this.#options.logger.info({ infoHash }, "an output was changed in place; its task is forgotten");
      await this.remove(infoHash);
    }
  }
}
