/**
 * The announce protocols together: HTTP and UDP on our own fronts (tracker/announce/), WebSocket announces of browsers through
 * bittorrent-tracker's Server with our swarms behind its createSwarm/getSwarm. Its own sockets and swarm table stay unused. Drives.
 */
import type { IncomingMessage } from "node:http";
import Server, { type AnnounceParams, type SwarmLike } from "bittorrent-tracker/server";
import type { WebSocket } from "ws";
import type { Logger } from "../system/logger.ts";
import { type InfoHash, parseInfoHash, parsePeerId } from "../torrents/ids.ts";
import { AnnounceDesk, type DeskOptions, UNKNOWN_TORRENT } from "./announce/announce-desk.ts";
import { HttpFront } from "./announce/http-front.ts";
import { UdpFront } from "./announce/udp-front.ts";
import { hashKey } from "./swarm/ask.ts";

export interface TrackerOptions extends DeskOptions {
  readonly logger: Logger;
  readonly intervalMs: number;
}

export class TrackerServer implements AsyncDisposable {
  readonly http: HttpFront;
  readonly #web: Server;
  readonly #desk: AnnounceDesk;
  readonly #logger: Logger;
  readonly #udp: UdpFront[] = [];

  constructor(options: TrackerOptions) {
    this.#logger = options.logger;
    this.#desk = new AnnounceDesk(options);
    this.http = new HttpFront(this.#desk);
    this.#web = this.#makeWeb(options);
  }

  /** Answered since the start, by protocol. */
  get announces(): Readonly<Record<"http" | "udp" | "ws", number>> {
    return this.#desk.announces;
  }

  /** Binds the UDP tracker; rejects with the socket's error (EADDRINUSE). */
  async bindUdp(host: string, port: number): Promise<void> {
    this.#udp.push(await UdpFront.bind({ desk: this.#desk, logger: this.#logger, host, port }));
  }

  /** A WebSocket peer (browser). */
  acceptWebSocket(socket: WebSocket, request: IncomingMessage): void {
    const announcing = Object.assign(socket, { upgradeReq: request, onMessageBound: (_message: unknown): void => undefined });
    this.#web.onWebSocketConnection(announcing);
    // it reads offers and info hashes without looking: what throws ends the connection, not the process
    const read = announcing.onMessageBound;
    socket.off("message", read);
    announcing.onMessageBound = (message) => {
      try {
        read(message);
      } catch (error) {
        this.#logger.debug({ err: String(error) }, "malformed tracker message");
        socket.terminate();
      }
    };
    socket.on("message", announcing.onMessageBound);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.http[Symbol.dispose]();
    await Promise.all(this.#udp.map((front) => front[Symbol.asyncDispose]()));
  }

  #makeWeb({ logger, intervalMs }: TrackerOptions): Server {
    const web = new Server({ http: false, udp: false, ws: { noServer: true }, stats: false, interval: intervalMs, filter: this.#filter });
    web.on("warning", (error: Error) => logger.debug({ err: error.message }, "bad tracker request"));
    web.on("error", (error: Error) => logger.warn({ err: error.message }, "tracker error"));
    web.getSwarm = (infoHash, callback) => callback(null, this.#swarm(infoHash as InfoHash));
    web.createSwarm = web.getSwarm;
    // its WebSocket close handler looks swarms up here
    web.torrents = new Proxy({}, { get: (_, infoHash) => this.#swarm(String(infoHash) as InfoHash) });
    return web;
  }

  /** Browsers bring no passkey: private tasks do not exist for them. */
  readonly #filter = (infoHash: string, _params: unknown, callback: (error: Error | null) => void): void => {
    const hash = parseInfoHash(infoHash);
    const admitted = hash !== undefined && this.#desk.admit(hashKey(hash), "", this.#desk.clock.nowMs());
    callback(admitted ? null : new Error(UNKNOWN_TORRENT));
  };

  #swarm(infoHash: InfoHash): SwarmLike {
    const { store } = this.#desk;
    return {
      announce: (params, callback) => this.#announce(infoHash, params, callback),
      scrape: (_params, callback) => callback(null, this.#desk.scrape([hashKey(infoHash)], "")[0] ?? { complete: 0, incomplete: 0 }),
      peers: { get: (peerId) => store.webPeer(infoHash, peerId) },
    };
  }

  #announce(infoHash: InfoHash, params: AnnounceParams, callback?: (error: Error | null, response?: object) => void): void {
    const { store, clock, random, announces } = this.#desk;
    const peerId = parsePeerId(params.peer_id);
    if (peerId === undefined || parseInfoHash(infoHash) === undefined) return callback?.(new Error("malformed announce"));
    const { event, left, numwant, socket } = params;
    announces.ws++;
    callback?.(null, store.announceWeb(infoHash, { peerId, event, left, numwant, socket }, { nowMs: clock.nowMs(), random }));
  }
}
