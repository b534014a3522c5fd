/**
 * The announce protocols (HTTP, UDP, WebSocket): bittorrent-tracker's Server in front, our swarm store behind its
 * createSwarm/getSwarm. Its own sockets and swarm table stay unused, so a scrape without info hash lists nothing.
 */
import dgram from "node:dgram";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";
import Server, { type AnnounceParams, type SwarmLike } from "bittorrent-tracker/server";
import type { WebSocket } from "ws";
import type { Clock } from "../system/clock.ts";
import type { Logger } from "../system/logger.ts";
import { type InfoHash, parseInfoHash, parsePeerId } from "../torrents/ids.ts";
import type { SwarmStore } from "./swarm-store.ts";

/** While seeders link again after a start, unknown hashes are not refused: swarms that run must not break. */
const GRACE_MS = 60_000;
const GRACE_RETRY_SECONDS = 5;

export interface TrackerOptions {
  readonly store: SwarmStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly intervalMs: number;
  /** Track any info hash. */
  readonly open: boolean;
}

export class TrackerServer implements AsyncDisposable {
  readonly server: Server;
  /** Answered since the start, by protocol. */
  readonly announces = { http: 0, udp: 0, ws: 0 };
  readonly #options: TrackerOptions;
  readonly #startedMs: number;
  readonly #sockets: dgram.Socket[] = [];

  constructor(options: TrackerOptions) {
    this.#options = options;
    this.#startedMs = options.clock.nowMs();
    const filter = (infoHash: string, _params: unknown, callback: (error: Error | null) => void): void => callback(this.#refusal(infoHash));
    this.server = new Server({ http: false, udp: false, ws: { noServer: true }, stats: false, interval: options.intervalMs, filter });
    this.server.on("warning", (error: Error) => options.logger.debug({ err: error.message }, "bad tracker request"));
    this.server.on("error", (error: Error) => options.logger.warn({ err: error.message }, "tracker error"));
    this.server.getSwarm = (infoHash, callback) => callback(null, this.#swarm(infoHash as InfoHash));
    this.server.createSwarm = this.server.getSwarm;
    // its WebSocket close handler looks swarms up here
    this.server.torrents = new Proxy({}, { get: (_, infoHash) => this.#swarm(String(infoHash) as InfoHash) });
  }

  /** Binds the UDP tracker; rejects with the socket's error (EADDRINUSE). */
  async bindUdp(host: string, port: number): Promise<void> {
    const socket = dgram.createSocket({ type: isIPv6(host) ? "udp6" : "udp4" });
    socket.on("message", (message, remote) => this.#guard(() => this.server.onUdpRequest(message, remote)));
    socket.bind(port, host);
    await once(socket, "listening");
    socket.on("error", (error) => this.#options.logger.warn({ err: error.message }, "UDP tracker error"));
    this.#sockets.push(socket);
    if (isIPv6(host)) this.server.udp6 = socket;
    else this.server.udp4 = socket;
    // an IPv6 socket bound to :: also gets IPv4 packets, as mapped addresses, and answers them itself
    if (host === "::") this.server.udp4 = socket;
  }

  /** A WebSocket peer (browser). */
  acceptWebSocket(socket: WebSocket, request: IncomingMessage): void {
    const announcing = Object.assign(socket, { upgradeReq: request, onMessageBound: (_message: unknown): void => undefined });
    this.server.onWebSocketConnection(announcing);
    // it reads offers and info hashes without looking: what throws ends the connection, not the process
    const read = announcing.onMessageBound;
    socket.off("message", read);
    announcing.onMessageBound = (message) => this.#guard(() => read(message), socket);
    socket.on("message", announcing.onMessageBound);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
  }

  #guard(handle: () => void, socket?: WebSocket): void {
    try {
      handle();
    } catch (error) {
      this.#options.logger.debug({ err: String(error) }, "malformed tracker message");
      socket?.terminate();
    }
  }

  #inGrace(): boolean {
    return this.#options.clock.nowMs() - this.#startedMs < GRACE_MS;
  }

  #refusal(infoHash: string): Error | null {
    if (this.#options.open || this.#inGrace() || this.#options.store.has(infoHash as InfoHash)) return null;
    return new Error("unknown torrent: this tracker serves its own tasks only");
  }

  #swarm(infoHash: InfoHash): SwarmLike {
    const { store } = this.#options;
    return {
      announce: (params, callback) => this.#announce(infoHash, params, callback),
      scrape: (_params, callback) => callback(null, store.counts(infoHash, this.#options.clock.nowMs())),
      peers: { get: (peerId) => store.webPeer(infoHash, peerId) },
    };
  }

  #announce(infoHash: InfoHash, params: AnnounceParams, callback?: (error: Error | null, response?: object) => void): void {
    const { store, clock, random, open } = this.#options;
    const peerId = parsePeerId(params.peer_id);
    if (peerId === undefined || parseInfoHash(infoHash) === undefined) return callback?.(new Error("malformed announce"));
    const known = store.has(infoHash);
    if (!known && (open || this.#inGrace())) store.join({ finals: [infoHash] });
    const { ip, port, type, event, left, numwant, socket } = params;
    if (type === "http" || type === "udp" || type === "ws") this.announces[type]++;
    const answer = store.announce({ infoHash, peerId, ip, port, type, event, left, numwant, socket }, clock.nowMs(), random);
    const interval = known || open ? undefined : GRACE_RETRY_SECONDS;
    callback?.(null, { complete: answer.complete, incomplete: answer.incomplete, peers: [...answer.peers], ...(interval && { interval }) });
  }
}
