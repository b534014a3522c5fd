/**
 * WebSocket announces of browsers, through bittorrent-tracker's Server with our swarms behind its createSwarm/getSwarm. Its own sockets and swarm
 * table stay unused. Drives.
 *
 * Browsers only exchange offers and answers through us. Invariant: what a remote sends costs it, or its connection, but nobody else more than
 * what web-budget.ts allows; who is in a swarm is taken out of it by its own connection only.
 */
import type { IncomingMessage } from "node:http";
import Server, { type AnnounceParams, type AnnouncingSocket, type SwarmLike } from "bittorrent-tracker/server";
import type { WebSocket } from "ws";
import { plainAddress } from "../../system/addresses.ts";
import type { Logger } from "../../system/logger.ts";
import { type InfoHash, parseInfoHash, parsePeerId } from "../../torrents/ids.ts";
import { hashKey } from "../swarm/ask.ts";
import { type AnnounceDesk, UNKNOWN_TORRENT } from "./announce-desk.ts";
import { WebBudget } from "./web-budget.ts";
import { readWebMessage } from "./web-message.ts";

/** Torrents that one connection may take part in: a seeder serves 50. */
const MOST_TORRENTS = 200;
/** Unread bytes of a connection beyond which nothing is sent to it. */
const MOST_UNREAD_BYTES = 1024 * 1024;
/** WebSocket close code for what breaks a policy. */
const POLICY = 1008;

export interface WebFrontOptions {
  readonly desk: AnnounceDesk;
  readonly logger: Logger;
  readonly intervalMs: number;
  /** A browser that lacks pieces is in this swarm. */
  onLeech(infoHash: InfoHash): void;
}

/** What we know of a connection. */
interface Contact {
  readonly budget: WebBudget;
  readonly address: string;
}

export class WebFront {
  readonly #options: WebFrontOptions;
  readonly #server: Server;
  readonly #contacts = new WeakMap<object, Contact>();

  constructor(options: WebFrontOptions) {
    const { logger, intervalMs } = options;
    this.#options = options;
    this.#server = new Server({
      http: false,
      udp: false,
      ws: { noServer: true },
      stats: false,
      interval: intervalMs,
      filter: this.#filter,
    });
    this.#server.on("warning", (error: Error) => logger.debug({ err: error.message }, "bad tracker request"));
    this.#server.on("error", (error: Error) => logger.warn({ err: error.message }, "tracker error"));
    this.#server.getSwarm = (infoHash, callback) => callback(null, this.#swarm(infoHash as InfoHash));
    this.#server.createSwarm = this.#server.getSwarm;
    // its WebSocket close handler looks swarms up here
    this.#server.torrents = new Proxy({}, { get: (_, infoHash) => this.#swarm(String(infoHash) as InfoHash) });
  }

  /** A browser connected. */
  accept(socket: WebSocket, request: IncomingMessage): void {
    const { desk, logger } = this.#options;
    const announcing: AnnouncingSocket = Object.assign(socket, {
      upgradeReq: request,
      onMessageBound: undefined,
      peerId: null,
      infoHashes: null,
    });
    this.#contacts.set(socket, {
      budget: new WebBudget(desk.clock.nowMs()),
      address: plainAddress(request.socket.remoteAddress ?? ""),
    });
    // ahead of its own handler, which takes the peer id out of every swarm that the connection was in
    for (const end of ["close", "error"]) socket.on(end, () => this.#keepOthers(announcing));
    this.#server.onWebSocketConnection(announcing);
    const read = announcing.onMessageBound;
    if (read === undefined) return socket.terminate();
    socket.off("message", read);
    announcing.onMessageBound = (bytes) => {
      if (socket.readyState !== socket.OPEN) return;
      const message = readWebMessage(String(bytes));
      if (message === undefined) return socket.close(POLICY, "malformed message");
      if (!this.#contacts.get(socket)?.budget.send(message.cost, desk.clock.nowMs())) return socket.close(POLICY, "too many messages");
      try {
        read(message.text);
      } catch (error) {
        logger.debug({ err: String(error) }, "tracker message failed");
        socket.terminate();
      }
    };
    socket.on("message", announcing.onMessageBound);
  }

  /** Browsers bring no passkey: private tasks do not exist for them. */
  readonly #filter = (infoHash: string, params: AnnounceParams, callback: (error: Error | null) => void): void => {
    const { desk } = this.#options;
    const hash = parseInfoHash(infoHash);
    const admitted = hash !== undefined && desk.admit(hashKey(hash), "", desk.clock.nowMs());
    if (!admitted) return callback(new Error(UNKNOWN_TORRENT));
    const joined = params.socket?.infoHashes ?? [];
    const tooMany = joined.length >= MOST_TORRENTS && !joined.includes(infoHash);
    callback(tooMany ? new Error("this connection takes part in too many torrents") : null);
  };

  #swarm(infoHash: InfoHash): SwarmLike {
    const { desk } = this.#options;
    return {
      announce: (params, callback) => this.#announce(infoHash, params, callback),
      scrape: (_params, callback) => callback(null, desk.scrape([hashKey(infoHash)], "")[0] ?? { complete: 0, incomplete: 0 }),
      peers: { get: (peerId) => this.#reachable(desk.store.webPeer(infoHash, peerId)) },
    };
  }

  #announce(infoHash: InfoHash, params: AnnounceParams, callback?: (error: Error | null, response?: object) => void): void {
    const { store, clock, random, announces } = this.#options.desk;
    const peerId = parsePeerId(params.peer_id);
    if (peerId === undefined || parseInfoHash(infoHash) === undefined) return callback?.(new Error("malformed announce"));
    const { event, left, numwant, socket, answer } = params;
    // answers travel as announces, and tell nothing of who sends them
    if (answer !== undefined) return callback?.(null, { complete: 0, incomplete: 0, peers: [] });
    const contact = socket === undefined ? undefined : this.#contacts.get(socket);
    if (!this.#mayBe(store.webPeer(infoHash, peerId)?.socket, socket)) return callback?.(new Error("another connection has this peer id"));
    announces.ws++;
    const nowMs = clock.nowMs();
    const address = contact?.address ?? "";
    const reached = store.announceWeb(infoHash, { peerId, event, left, numwant, socket, address }, { nowMs, random });
    const peers = reached.peers.filter((peer) => this.#reachable(peer) && this.#contacts.get(peer.socket as object)?.budget.offer(nowMs));
    callback?.(null, { ...reached, peers });
    if (socket !== undefined && left > 0 && event !== "stopped" && event !== "completed") this.#options.onLeech(infoHash);
  }

  /** Whether the connection may speak for the peer id that `holder` brought: nobody takes another's, unless his connection is from there too. */
  #mayBe(holder: unknown, socket: AnnouncingSocket | undefined): boolean {
    const held = holder as WebSocket | undefined;
    if (held === undefined || held === socket || socket === undefined || held.readyState !== socket.OPEN) return true;
    return this.#contacts.get(held)?.address === this.#contacts.get(socket)?.address;
  }

  #reachable<Peer extends { readonly socket: unknown }>(peer: Peer | undefined): Peer | undefined {
    const socket = peer?.socket as WebSocket | undefined;
    return socket?.readyState === socket?.OPEN && (socket?.bufferedAmount ?? 0) <= MOST_UNREAD_BYTES ? peer : undefined;
  }

  /** Leaves the swarms in which another connection has the peer id by now. */
  #keepOthers(socket: AnnouncingSocket): void {
    const { peerId, infoHashes } = socket;
    if (peerId === null || infoHashes === null) return;
    const { store } = this.#options.desk;
    socket.infoHashes = infoHashes.filter((infoHash) => store.webPeer(infoHash as InfoHash, peerId)?.socket === socket);
  }
}
