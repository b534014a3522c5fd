/**
 * One WebSocket tracker, which brings together peers that speak WebRTC: all swarms of this host there share a connection. Drives it.
 *
 * Invariant: at most MOST_SWARMS swarms, and MOST_OFFERS calls of ours wait in each. A connection that is lost is made again while there are swarms,
 * because a host that has everything is only found by it. Calls of others are answered within a budget, and not those of peers that are connected.
 */
import { randomBytes } from "node:crypto";
import type { WebSocket } from "ws";
import type { Clock } from "../../system/clock.ts";
import { SkimmerError } from "../../system/errors.ts";
import { keepAlive } from "../../system/keep-alive.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import { EventBudget } from "../engine/event-budget.ts";
import type { MetPeer } from "../engine/met-peer.ts";
import type { Announce, AnnounceAnswer } from "./announce.ts";
import { retryDelayMs } from "./announce-plan.ts";
import { trackerHost } from "./shown-tracker.ts";
import type { OpenChannel, RingingCall, WebCalls } from "./web-calls.ts";
import { announceWords, answerWords, readWebMessage, type WebMessage } from "./web-words.ts";

export interface WebTrackerOptions {
  readonly calls: WebCalls;
  /** A channel to a peer stands. */
  onPeer(peer: MetPeer): void;
  /** Whether we are connected to the peer: then its call is not answered. */
  isConnected(infoHash: InfoHash, peerId: PeerId): boolean;
  /** How many calls of others are answered; default OFFERS. */
  readonly answers?: { readonly perSecond: number; readonly burst: number };
  readonly clock: Clock;
  readonly random: () => number;
}

interface Swarm {
  last: Announce;
  /** The tracker knows of us. */
  joined: boolean;
  waiting: PromiseWithResolvers<AnnounceAnswer> | undefined;
  /** Calls of ours, by the id under which an answer comes. */
  readonly calls: Map<string, RingingCall>;
  /** Calls in the place of failed ones. */
  readonly again: EventBudget;
}

/** As many as a supernode takes from one connection. */
const MOST_SWARMS = 200;
/** webtorrent makes as many. */
const MOST_OFFERS = 5;
const OFFER_ID_BYTES = 20;
/** Calls of others: each costs a native connection. */
const OFFERS = { perSecond: 5, burst: 30 };
/** In the place of calls that were answered and failed: who answers is there, yet may not be reachable at all. */
const CALLS_AGAIN = { perSecond: 0.05, burst: 5 };
const CONNECT_LIMIT_MS = 10_000;
/** A call with its description, of 16 KiB at most. */
const MOST_MESSAGE_BYTES = 64 * 1024;
const MOST_REST_MS = 5 * 60_000;
const CLOSE_LIMIT_MS = 1_000;
const PING_EVERY_MS = 60_000;

export class WebTracker implements Disposable {
  readonly #url: string;
  readonly #options: WebTrackerOptions;
  readonly #swarms = new Map<InfoHash, Swarm>();
  readonly #offers: EventBudget;
  #socket: WebSocket | undefined;
  #connecting: Promise<WebSocket> | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Connections in a row that brought nothing. */
  #failures = 0;
  #closed = false;

  constructor(url: string, options: WebTrackerOptions) {
    this.#url = url;
    this.#options = options;
    this.#offers = new EventBudget(options.answers ?? OFFERS, options.clock.nowMs());
  }

  /** No swarm of ours is there. */
  get idle(): boolean {
    return this.#swarms.size === 0;
  }

  /** Rejects with SkimmerError `no_supernode` where there is no connection, `busy`, or the reason of `signal`. */
  async announce(announce: Announce, signal: AbortSignal): Promise<AnnounceAnswer> {
    if (announce.event === "stopped") return this.#leave(announce);
    const swarm = this.#swarmOf(announce);
    const waiting = Promise.withResolvers<AnnounceAnswer>();
    // a later announce of the same swarm takes the place of one that nobody answered
    swarm.waiting?.reject(new SkimmerError("cancelled", "the tracker is asked again"));
    swarm.waiting = waiting;
    const onAbort = (): void => waiting.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      void this.#say(swarm, announce).catch(waiting.reject);
      return await waiting.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
      if (swarm.waiting === waiting) swarm.waiting = undefined;
      // the caller tells a tracker that it leaves only where it heard that it was let in
      const isIn = swarm.joined && !(signal.aborted && announce.event === "started");
      if (!isIn && swarm.waiting === undefined) this.#drop(announce.infoHash, swarm);
    }
  }

  /** Leaves without a word. */
  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const infoHash of [...this.#swarms.keys()]) this.#drop(infoHash);
    this.#socket?.terminate();
  }

  #swarmOf(announce: Announce): Swarm {
    const known = this.#swarms.get(announce.infoHash);
    if (known !== undefined) {
      known.last = announce;
      return known;
    }
    if (this.#swarms.size >= MOST_SWARMS)
      throw new SkimmerError("busy", `${MOST_SWARMS} torrents are announced at ${trackerHost(this.#url)} already`, { retriable: true });
    const again = new EventBudget(CALLS_AGAIN, this.#options.clock.nowMs());
    const swarm: Swarm = { last: announce, joined: false, waiting: undefined, calls: new Map(), again };
    this.#swarms.set(announce.infoHash, swarm);
    return swarm;
  }

  async #say(swarm: Swarm, announce: Announce): Promise<void> {
    const socket = await this.#connect();
    const offers = await this.#offer(swarm, announce);
    if (isOpen(socket)) socket.send(announceWords(announce, offers));
  }

  async #leave(announce: Announce): Promise<AnnounceAnswer> {
    const socket = this.#socket;
    if (isOpen(socket)) await new Promise<void>((resolve) => socket.send(announceWords(announce, []), () => resolve()));
    this.#drop(announce.infoHash);
    return { peers: [], intervalS: undefined, minIntervalS: undefined, failure: undefined };
  }

  #drop(infoHash: InfoHash, swarm = this.#swarms.get(infoHash)): void {
    if (swarm === undefined || this.#swarms.get(infoHash) !== swarm) return;
    this.#swarms.delete(infoHash);
    swarm.waiting?.reject(new SkimmerError("cancelled", "the torrent is closed"));
    for (const call of swarm.calls.values()) call[Symbol.dispose]();
    if (!this.idle) return;
    clearTimeout(this.#retry);
    if (this.#socket !== undefined) hangUp(this.#socket);
  }

  /** Calls for whoever is in the swarm, up to MOST_OFFERS with those that wait; only a download makes any. */
  async #offer(swarm: Swarm, { infoHash, event, numwant }: Announce): Promise<{ id: string; sdp: string }[]> {
    for (const [id, call] of swarm.calls) if (!call.open) swarm.calls.delete(id);
    const count = event === "completed" ? 0 : Math.min(numwant, MOST_OFFERS - swarm.calls.size);
    const { calls, onPeer } = this.#options;
    const made = Array.from({ length: Math.max(0, count) }, async () => {
      const onOpen = (channel: OpenChannel): void => onPeer({ ...channel, infoHash, incoming: false });
      const call = await calls.offer(onOpen, () => this.#callAgain(infoHash, swarm)).catch(() => undefined);
      if (call === undefined) return [];
      if (this.#swarms.get(infoHash) !== swarm || this.#closed) {
        call[Symbol.dispose]();
        return [];
      }
      const id = randomBytes(OFFER_ID_BYTES).toString("latin1");
      swarm.calls.set(id, call);
      return [{ id, sdp: call.sdp }];
    });
    return (await Promise.all(made)).flat();
  }

  /** At once, since somebody is there; peer/webrtc/peer-call.ts says why calls between healthy hosts fail. */
  #callAgain(infoHash: InfoHash, swarm: Swarm): void {
    const isCurrent = this.#swarms.get(infoHash) === swarm && !this.#closed && swarm.last.left > 0;
    if (isCurrent && swarm.again.take(this.#options.clock.nowMs()))
      void this.#say(swarm, { ...swarm.last, event: undefined }).catch(() => undefined);
  }

  /** The connection, made where there is none. */
  #connect(): Promise<WebSocket> {
    if (isOpen(this.#socket)) return Promise.resolve(this.#socket);
    this.#connecting ??= this.#dial().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #dial(): Promise<WebSocket> {
    // loaded where it is wanted: a daemon starts sooner without
    const ws = await import("ws");
    if (this.#closed) throw new SkimmerError("cancelled", "the daemon is stopping");
    const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
    const socket = new ws.WebSocket(this.#url, {
      handshakeTimeout: CONNECT_LIMIT_MS,
      maxPayload: MOST_MESSAGE_BYTES,
      perMessageDeflate: false,
      followRedirects: false,
    });
    this.#socket = socket;
    let problem = "the connection ended";
    socket.on("error", (error) => {
      problem = error.message;
    });
    socket.on("open", () => {
      keepAlive(socket, PING_EVERY_MS);
      resolve(socket);
    });
    socket.on("message", (data) => this.#onMessage(socket, readWebMessage(String(data))));
    socket.on("close", () => {
      const lost = new SkimmerError("no_supernode", `the tracker at ${trackerHost(this.#url)} cannot be reached: ${problem}`, {
        retriable: true,
      });
      reject(lost);
      if (this.#socket === socket) this.#onLost(lost);
    });
    return promise;
  }

  /** What waits fails; who is known there comes back by himself. */
  #onLost(lost: SkimmerError): void {
    this.#socket = undefined;
    for (const swarm of this.#swarms.values()) {
      swarm.waiting?.reject(lost);
      for (const call of swarm.calls.values()) call[Symbol.dispose]();
    }
    if (this.#closed || ![...this.#swarms.values()].some(({ joined }) => joined)) return;
    this.#failures++;
    const restMs = retryDelayMs({ failures: this.#failures, mostMs: MOST_REST_MS, random: this.#options.random() });
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#rejoin().catch(() => undefined), restMs);
    this.#retry.unref();
  }

  async #rejoin(): Promise<void> {
    const socket = await this.#connect();
    for (const { last } of this.#swarms.values()) socket.send(announceWords({ ...last, event: "started" }, []));
  }

  #onMessage(socket: WebSocket, message: WebMessage | undefined): void {
    const swarm = message && this.#swarms.get(message.infoHash);
    if (message === undefined || swarm === undefined) return;
    switch (message.kind) {
      case "offer":
        return void this.#onOffer(socket, swarm, message).catch(() => undefined);
      case "answer":
        return this.#onAnswer(swarm, message);
      case "answered":
        this.#failures = 0;
        swarm.joined = message.answer.failure === undefined;
        return swarm.waiting?.resolve(message.answer);
    }
  }

  async #onOffer(socket: WebSocket, swarm: Swarm, offer: { infoHash: InfoHash; peerId: PeerId; offerId: string; sdp: string }) {
    const { calls, clock, isConnected, onPeer } = this.#options;
    const { infoHash, offerId } = offer;
    const { peerId } = swarm.last;
    if (offer.peerId === peerId || isConnected(infoHash, offer.peerId) || !this.#offers.take(clock.nowMs())) return;
    const sdp = await calls.answer(offer.sdp, (channel) => onPeer({ ...channel, infoHash, incoming: true }));
    if (sdp === undefined || !isOpen(socket)) return;
    socket.send(answerWords({ infoHash, peerId, to: offer.peerId, offerId, sdp }));
  }

  #onAnswer(swarm: Swarm, { offerId, sdp }: { offerId: string; sdp: string }): void {
    const call = swarm.calls.get(offerId);
    swarm.calls.delete(offerId);
    if (call === undefined || !call.open) return;
    try {
      call.accept(sdp);
    } catch {
      // a description that cannot be used: the call is over
    }
  }
}

/** Says goodbye, and does not wait long for the other side's. */
function hangUp(socket: WebSocket): void {
  if (socket.readyState !== socket.OPEN) return socket.terminate();
  socket.close();
  const limit = setTimeout(() => socket.terminate(), CLOSE_LIMIT_MS);
  socket.once("close", () => clearTimeout(limit));
}

function isOpen(socket: WebSocket | undefined): socket is WebSocket {
  return socket !== undefined && socket.readyState === socket.OPEN;
}
