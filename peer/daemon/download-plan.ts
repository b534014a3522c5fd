/**
 * How one request is going to get its content. Drives: asks the supernodes, else the origin.
 *
 * Equal requests that arrive together are planned once. Every plan was allowed by the origin for this caller's headers:
 * the supernode's seeder asked it, or we did.
 */
import { type KeyObject, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { hasValidators, isSameContent } from "../../origin/same-content.ts";
import type { Origin, Probe } from "../../origin/types.ts";
import type { Clock } from "../../system/clock.ts";
import { SkimmerError, toSkimmerError } from "../../system/errors.ts";
import type { FinalTorrents, PeerAddress, TaskAnswer } from "../../torrents/task-api.ts";
import { originKey } from "../../torrents/task-identity.ts";
import type { TorrentLayout } from "../../torrents/torrent-layout.ts";
import { areWebOnly, NEEDS_WEBRTC } from "../discovery/tracker-tiers.ts";
import type { DownloadRequest } from "./daemon-api.ts";
import { makeLocalTorrent } from "./local-torrent.ts";
import { originRequest } from "./origin-request.ts";
import { findStored } from "./plan-stored.ts";
import { planTorrent } from "./plan-torrent.ts";
import { SingleFlight } from "./single-flight.ts";
import type { Registration, SupernodeClient } from "./supernode-client.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { TaskIndex } from "./task-index.ts";
import { hasCredentials, isSupernodes } from "./task-openness.ts";
import type { TorrentInfos, TorrentSource } from "./torrent-source.ts";

/** A torrent to open: what to remember of it, and whom to ask first. */
export interface OpenTask {
  readonly entry: TaskEntry;
  readonly peers: readonly PeerAddress[];
  readonly final: FinalTorrents | undefined;
  /** Why there is no swarm to wait for and the origin is read at once; undefined: there is one. */
  readonly alone: string | undefined;
  /** Info dicts of a torrent that somebody else made. */
  readonly infos?: TorrentInfos;
  /** Its files; undefined: a torrent of ours, of one file. */
  readonly layout?: TorrentLayout;
  /** Only the cluster's seeders are to be asked. */
  readonly seedersOnly: boolean;
}

export type Plan =
  | { readonly kind: "inline"; readonly bytes: Buffer; readonly task: OpenTask; readonly warnings: readonly string[] }
  | { readonly kind: "torrent"; readonly task: OpenTask; readonly warnings: readonly string[] }
  | { readonly kind: "empty"; readonly name: string; readonly warnings: readonly string[] }
  | { readonly kind: "spool"; readonly probe: Probe; readonly warnings: readonly string[] };

export interface PlannerOptions {
  readonly supernodes: readonly string[];
  readonly client: SupernodeClient;
  readonly origin: Origin;
  readonly index: TaskIndex;
  readonly key: KeyObject;
  /** Info dicts of a torrent of which only the hash is known. */
  readonly fetchInfos: (source: TorrentSource, options: { signal: AbortSignal }) => Promise<TorrentInfos>;
  /** Whether a task's peers may be found while no supernode answers; absent: never. */
  readonly canFindPeers?: (entry: TaskEntry) => boolean;
  /** Whether WebSocket trackers are asked; absent: no. */
  readonly webrtc?: boolean;
  readonly epochMs: () => number;
  readonly clock: Clock;
  /** For how long a request that may not read the origin asks again, half a second apart; absent: it asks once. */
  readonly patienceMs?: number;
}

export interface PlanOptions {
  /** Pass over the supernodes. */
  readonly straight: boolean;
  readonly signal: AbortSignal;
}

/** Why the origin is read by a download that may still find its swarm. */
export const NO_SUPERNODE = "no supernode answers";
const SALT_BYTES = 16;
const ASK_AGAIN_MS = 500;

export class Planner {
  readonly #options: PlannerOptions;
  readonly #flights = new SingleFlight<Plan>();

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /** Rejects with SkimmerError: origin_*, no_supernode (with `notbs`), cancelled. */
  plan(request: DownloadRequest, options: PlanOptions): Promise<Plan> {
    const supernodes = request.supernodes ?? this.#options.supernodes;
    const { headers, token, notbs, pattern } = request;
    const { infos, ...places } = request.torrent ?? {};
    const torrent = [places, infos !== undefined];
    const key = JSON.stringify([originKey(request), headers, supernodes, token, notbs, pattern, options.straight, torrent]);
    return this.#flights.run(key, (signal) => this.#plan(request, { ...options, supernodes, signal }), options.signal);
  }

  async #plan(request: DownloadRequest, options: PlanOptions & { supernodes: readonly string[] }): Promise<Plan> {
    const warnings: string[] = [];
    const { signal, supernodes } = options;
    if (request.torrent !== undefined) {
      const plan = await planTorrent(request, request.torrent, { ...this.#options, signal });
      const isDeaf = plan.kind === "torrent" && this.#options.webrtc !== true && areWebOnly(plan.task.entry.trackers);
      return isDeaf ? { ...plan, warnings: [NEEDS_WEBRTC] } : plan;
    }
    if (request.pattern === "source") return this.#planOrigin(request, { signal, warnings, reason: "as asked for" });
    if (options.straight) return this.#planOrigin(request, { signal, warnings, reason: "the content changed at the origin" });
    const registration = await this.#register(request, { supernodes, signal, warnings });
    if (registration.kind === "answer") return this.#planAnswer({ request, answer: registration.answer, signal, warnings });
    if (!request.notbs) return this.#planAlone(request, { signal, warnings });
    const plan = this.#planStored(request, warnings);
    if (plan === undefined) throw noSupernode(registration.failures);
    return plan;
  }

  /** Without a supernode: what the origin says; where it is away too, what is known already. */
  async #planAlone(request: DownloadRequest, options: { signal: AbortSignal; warnings: string[] }): Promise<Plan> {
    try {
      return await this.#planOrigin(request, { ...options, reason: NO_SUPERNODE });
    } catch (thrown) {
      const plan = toSkimmerError(thrown).code === "origin_unreachable" ? this.#planStored(request, options.warnings) : undefined;
      if (plan === undefined) throw thrown;
      return plan;
    }
  }

  /** A supernode's task that this host knows, as far as its peers can be found without any supernode. */
  #planStored(request: DownloadRequest, warnings: string[]): Plan | undefined {
    const { index, canFindPeers = () => false } = this.#options;
    const wish = { originKey: originKey(request), hasCredentials: hasCredentials(request), canFindPeers };
    const entry = findStored(index.list(), wish);
    if (entry === undefined) return undefined;
    warnings.push("no supernode answers; the content may be older than the origin's");
    const task = { entry, peers: [], final: undefined, alone: undefined, seedersOnly: request.pattern === "cdn" };
    return { kind: "torrent", task, warnings };
  }

  /** A request that may not read the origin has nobody else: it outlasts a supernode's restart. */
  async #register(
    request: DownloadRequest,
    options: { supernodes: readonly string[]; signal: AbortSignal; warnings: string[] },
  ): Promise<Registration> {
    const { supernodes, signal, warnings } = options;
    const warn = (message: string): void => void (warnings.includes(message) || warnings.push(message));
    const { client, clock, patienceMs = 0 } = this.#options;
    const untilMs = clock.nowMs() + (request.notbs ? patienceMs : 0);
    for (;;) {
      const registration = await client.register(supernodes, request, { signal, warn });
      if (registration.kind === "answer" || clock.nowMs() >= untilMs) return registration;
      await sleep(ASK_AGAIN_MS, undefined, { signal });
    }
  }

  /** Info dicts of a torrent of which only a hash is known. */
  fetchInfos(source: TorrentSource, options: { signal: AbortSignal }): Promise<TorrentInfos> {
    return this.#options.fetchInfos(source, options);
  }

  /** The swarm's task where a supernode gives one just now; nothing else is tried. */
  async planSwarm(request: DownloadRequest, signal: AbortSignal): Promise<OpenTask | undefined> {
    const supernodes = request.supernodes ?? this.#options.supernodes;
    const registration = await this.#options.client.register(supernodes, request, { signal, warn: () => undefined });
    if (registration.kind === "none") return undefined;
    const plan = await this.#planAnswer({ request, answer: registration.answer, signal, warnings: [] });
    return plan.kind === "torrent" && plan.task.alone === undefined ? plan.task : undefined;
  }

  async #planAnswer(input: { request: DownloadRequest; answer: TaskAnswer; signal: AbortSignal; warnings: string[] }): Promise<Plan> {
    const { request, answer, warnings } = input;
    if (answer.unvalidated) {
      const probe = await this.#probeUnvalidated(input);
      if (probe !== undefined && !isSameContent(answer, probe)) {
        if (request.notbs)
          throw new SkimmerError(
            "origin_changed",
            "the supernode has an older version than the origin, and no seeder to fetch the new one",
            { retriable: true },
          );
        return this.#planProbed(request, { probe, warnings, reason: "the supernode has an older version than the origin" });
      }
    }
    const seedersOnly = request.pattern === "cdn";
    const peers = answer.peers.filter((peer) => peer.seeder || !seedersOnly);
    const task = { entry: this.#entryOf(request, answer), peers, final: answer.final, alone: undefined, seedersOnly };
    if (answer.lengthBytes === 0) return { kind: "empty", name: answer.name, warnings };
    const bytes = answer.inline === undefined ? undefined : Buffer.from(answer.inline, "base64");
    return bytes?.length === answer.lengthBytes ? { kind: "inline", bytes, task, warnings } : { kind: "torrent", task, warnings };
  }

  /** The origin's word where no seeder could ask it; undefined where the origin cannot be reached. */
  async #probeUnvalidated(input: { request: DownloadRequest; signal: AbortSignal; warnings: string[] }): Promise<Probe | undefined> {
    try {
      return await this.#options.origin.probe(originRequest(input.request), { signal: input.signal });
    } catch (thrown) {
      if (!(thrown instanceof SkimmerError) || thrown.code !== "origin_unreachable") throw thrown;
      input.warnings.push("the origin cannot be reached; the content may be older than the origin's");
      return undefined;
    }
  }

  async #planOrigin(request: DownloadRequest, options: { signal: AbortSignal; warnings: string[]; reason: string }): Promise<Plan> {
    const probe = await this.#options.origin.probe(originRequest(request), { signal: options.signal });
    return this.#planProbed(request, { ...options, probe });
  }

  #planProbed(request: DownloadRequest, options: { probe: Probe; warnings: string[]; reason: string }): Plan {
    const { probe, warnings, reason } = options;
    if (probe.lengthBytes === undefined) return { kind: "spool", probe, warnings };
    if (probe.lengthBytes === 0) return { kind: "empty", name: probe.name, warnings };
    const same = this.#options.index.findSame({
      originKey: originKey(request),
      validators: probe.validators,
      lengthBytes: probe.lengthBytes,
    });
    const entry = same ?? this.#localEntry(request, { ...probe, lengthBytes: probe.lengthBytes });
    // its peers may be found without a supernode: they come before the origin
    const inSwarm = reason === NO_SUPERNODE && isSupernodes(entry) && this.#options.canFindPeers?.(entry) === true;
    const alone = inSwarm ? undefined : reason;
    return { kind: "torrent", task: { entry, peers: [], final: undefined, alone, seedersOnly: false }, warnings };
  }

  #localEntry(request: DownloadRequest, probe: Probe & { lengthBytes: number }): TaskEntry {
    const volatile = !hasValidators(probe.validators) && request.digest === undefined;
    const { name, lengthBytes, validators } = probe;
    const local = makeLocalTorrent({
      request,
      name,
      lengthBytes,
      validators,
      key: this.#options.key,
      salt: volatile ? randomBytes(SALT_BYTES) : undefined,
    });
    return (
      this.#options.index.get(local.infoHash) ?? {
        infoHash: local.infoHash,
        url: request.url,
        originKey: originKey(request),
        name: local.name,
        lengthBytes,
        pieceLengthBytes: local.geometry.pieceLengthBytes,
        validators,
        liveInfo: local.liveInfo.toString("base64"),
        trackers: [],
        private: hasCredentials(request),
        local: true,
        volatile,
        complete: false,
        lastUsedAtMs: this.#options.epochMs(),
      }
    );
  }

  /** What to remember of a supernode's task; the same content under another of its names is taken from the store. */
  #entryOf(request: DownloadRequest, answer: TaskAnswer): TaskEntry {
    const { index, epochMs } = this.#options;
    const stored = index.findByHashes([answer.infoHash, answer.infoHashV1, answer.infoHashV2]);
    if (stored !== undefined && stored.infoHash !== answer.infoHash && stored.complete) return stored;
    const { name, lengthBytes, pieceLengthBytes, validators, liveInfo, trackers, infoHash, infoHashV1, infoHashV2 } = answer;
    const kept = stored?.infoHash === infoHash ? stored : undefined;
    return {
      ...kept,
      infoHash,
      infoHashV1,
      infoHashV2,
      name,
      lengthBytes,
      pieceLengthBytes,
      validators,
      liveInfo,
      trackers,
      private: hasCredentials(request),
      url: request.url,
      originKey: originKey(request),
      local: false,
      volatile: false,
      complete: kept?.complete ?? false,
      lastUsedAtMs: epochMs(),
    };
  }
}

function noSupernode(failures: readonly string[]): SkimmerError {
  const why = failures.length > 0 ? failures.join("; ") : "none is known";
  return new SkimmerError("no_supernode", `no supernode answers, and reading the origin is forbidden (${why})`, {
    hint: "Start a supernode, give its address with --supernode, or leave out --notbs.",
    retriable: true,
  });
}
