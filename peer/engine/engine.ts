/**
 * The peer engine: one peer port, many torrents. Routes connections to torrents, dials peers, keeps time.
 * Invariant: a connection belongs to at most one torrent, and at most one connection per peer and torrent lives.
 */
import net from "node:net";
import { type Clock, realClock } from "../../system/clock.ts";
import { SkimmerError } from "../../system/errors.ts";
import { Limiter } from "../../system/limiter.ts";
import type { Logger } from "../../system/logger.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import type { PieceHashes } from "../../torrents/make-torrent.ts";
import type { KnownPeer } from "./address-book.ts";
import { dialRoom, guestsOf, hasLinkRoom, hasRoom, MOST_CONNECTIONS, whoLeaves } from "./admission.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { type Contact, countDialing, crowdingOut, handOver, isExpected, newContact, newerStays, waysLeft } from "./contact.ts";
import { DialModes } from "./dial-modes.ts";
import { type DownloadShare, DownloadShares } from "./download-shares.ts";
import { sendExtendedHandshake } from "./extended-hello.ts";
import { fetchInfo } from "./fetch-info.ts";
import { type FilesInPlace, type HashWishes, hashFiles } from "./hash-files.ts";
import { HashWorkers } from "./hash-workers.ts";
import { listenAt } from "./listen-at.ts";
import type { MetPeer, ReachablePeer } from "./met-peer.ts";
import { MseDesk } from "./mse/mse-desk.ts";
import { type OpenedTorrent, openTorrent } from "./open-torrent.ts";
import { addressKey, type BannedPeer, PeerConduct } from "./peer-conduct.ts";
import { PeerLink } from "./peer-link.ts";
import { PieceBuffers } from "./piece-buffers.ts";
import type { SwarmTorrent } from "./swarm-torrent.ts";
import type { Engine, EngineLimits, EngineOptions, Torrent, TorrentSpec } from "./types.ts";
import { OUR_BLOCK_BYTES } from "./uploader.ts";
import type { Handshake } from "./wire/handshake.ts";

const TICK_MS = 250;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** A peer for which something waits and that takes nothing of it for so long does not read: 17 kB/s keep a full socket moving. */
const UNREAD_MS = 60_000;
const MOST_DIALING = 30;
const BUFFER_BYTES = 40 * 1024 * 1024;

/** Opens the peer port. Rejects with SkimmerError `address_in_use`. */
export async function openEngine(options: EngineOptions & { logger: Logger; clock?: Clock; random?: () => number }): Promise<Engine> {
  const engine = new PeerEngine(options);
  await engine.listen();
  return engine;
}

class PeerEngine implements Engine, ConnectionOwner {
  readonly peerId: PeerId;
  readonly torrents = new Map<InfoHash, SwarmTorrent>();
  readonly #options: EngineOptions & { logger: Logger };
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #buffers: PieceBuffers;
  readonly #workers = new HashWorkers();
  readonly #uploadLimiter: Limiter;
  readonly #downloads: DownloadShares;
  readonly #conduct = new PeerConduct();
  readonly #encryption: MseDesk;
  readonly #dialModes: DialModes;
  readonly #server: net.Server;
  readonly #contacts = new Map<Connection, Contact>();
  /** Every hash that any torrent answers to. */
  readonly #routes = new Map<InfoHash, SwarmTorrent>();
  readonly #opened = new Map<SwarmTorrent, OpenedTorrent>();
  readonly #opening = new Map<string, Promise<SwarmTorrent>>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: EngineOptions & { logger: Logger; clock?: Clock; random?: () => number }) {
    this.#options = options;
    this.peerId = options.peerId;
    this.#clock = options.clock ?? realClock;
    this.#random = options.random ?? Math.random;
    this.#buffers = new PieceBuffers(options.bufferBytes ?? BUFFER_BYTES, (memoryId) => this.#workers.forget(memoryId));
    this.#uploadLimiter = new Limiter(this.#clock, options.uploadBytesPerSecond);
    this.#downloads = new DownloadShares(this.#clock, options.downloadBytesPerSecond);
    this.#encryption = new MseDesk(options.encryption ?? "allow", this.#clock.nowMs());
    this.#dialModes = new DialModes(this.#encryption.policy);
    this.#server = net.createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#onSocket(socket));
  }

  get address(): { host: string; port: number } {
    const { address, port } = this.#server.address() as net.AddressInfo;
    return { host: address, port };
  }

  get advertisedPort(): number {
    return this.#options.advertisedPort ?? this.address.port;
  }

  get banned(): BannedPeer[] {
    return this.#conduct.banned(this.#clock.nowMs());
  }

  async listen(): Promise<void> {
    await listenAt(this.#server, this.#options.listen);
  }

  find(infoHash: InfoHash): Torrent | undefined {
    return this.#routes.get(infoHash);
  }

  add(spec: TorrentSpec): Promise<Torrent> {
    const opening = this.#opening.get(spec.directory) ?? this.#open(spec).finally(() => this.#opening.delete(spec.directory));
    this.#opening.set(spec.directory, opening);
    return opening;
  }

  async #open(spec: TorrentSpec): Promise<SwarmTorrent> {
    // its start and the first connections take their time side by side
    const opened = await openTorrent(
      {
        clock: this.#clock,
        random: this.#random,
        logger: this.#options.logger,
        buffers: this.#buffers,
        workers: this.#workers,
        uploadLimiter: this.#uploadLimiter,
        downloads: this.#downloads,
        conduct: this.#conduct,
        onBanned: (peer) => this.#onBanned(peer),
        role: this.#options.role,
        onFinal: (torrent) => this.#route(torrent),
        wake: () => this.#wake(),
      },
      spec,
    );
    const { torrent } = opened;
    const known = this.torrents.get(torrent.infoHash);
    if (known !== undefined) {
      await opened.close();
      return known;
    }
    this.torrents.set(torrent.infoHash, torrent);
    this.#opened.set(torrent, opened);
    this.#route(torrent);
    return torrent;
  }

  fetchInfo(infoHash: InfoHash, peers: readonly ReachablePeer[], options: { signal: AbortSignal }): Promise<Buffer> {
    return fetchInfo({
      infoHash,
      peers,
      peerId: this.peerId,
      nowMs: this.#clock.nowMs,
      encryption: this.#encryption,
      signal: options.signal,
    });
  }

  hashFiles(files: FilesInPlace, options: HashWishes): Promise<PieceHashes> {
    return hashFiles(files, { buffers: this.#buffers, workers: this.#workers, ...options });
  }

  async remove(torrent: Torrent): Promise<void> {
    const own = torrent as SwarmTorrent;
    const opened = this.#opened.get(own);
    if (opened === undefined) return;
    this.#opened.delete(own);
    this.torrents.delete(own.infoHash);
    for (const [hash, routed] of this.#routes) if (routed === own) this.#unroute(hash);
    await opened.close();
  }

  setLimits(limits: EngineLimits): void {
    if (limits.uploadBytesPerSecond !== undefined) this.#uploadLimiter.setRate(limits.uploadBytesPerSecond);
    if (limits.downloadBytesPerSecond !== undefined) this.#downloads.setRate(limits.downloadBytesPerSecond);
    for (const [priority, rate] of limits.classBytesPerSecond ?? []) this.#downloads.setClassRate(priority, rate);
  }

  openShare({ bytesPerSecond, priority }: { bytesPerSecond: number; priority: number }): DownloadShare {
    return this.#downloads.open(bytesPerSecond, priority);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    await Promise.all([...this.#opened.keys()].map((torrent) => this.remove(torrent)));
    for (const connection of this.#contacts.keys()) connection.close("engine closed");
    this.#uploadLimiter.close();
    this.#downloads.close();
    this.#server.close();
    await this.#workers.close();
  }

  // ---- connections ----

  #onSocket(socket: net.Socket): void {
    socket.on("error", () => undefined);
    if (this.#closed) return void socket.destroy();
    crowdingOut(this.#contacts)?.close("too many connections without a handshake");
    if (!hasRoom(this.#contacts.size, { incoming: true }) && !this.#makeRoom(socket.remoteAddress ?? "")) return void socket.destroy();
    const connection = Connection.accept({ owner: this, nowMs: this.#clock.nowMs, socket, encryption: this.#encryption });
    this.#contacts.set(connection, newContact(this.#clock.nowMs()));
    this.#wake();
  }

  take(peer: MetPeer): void {
    const torrent = this.#routes.get(peer.infoHash);
    const isWanted = torrent !== undefined && peer.infoHash !== torrent.infoHashes.live;
    if (!isWanted || this.#closed || !hasRoom(this.#contacts.size, peer)) return void peer.stream.destroy();
    const connection = Connection.over(peer, { owner: this, nowMs: this.#clock.nowMs });
    this.#contacts.set(connection, { ...newContact(this.#clock.nowMs()), swarm: peer.infoHash });
    if (!peer.incoming) connection.sendHandshake({ infoHash: peer.infoHash, peerId: this.peerId });
    this.#wake();
  }

  #dial(torrent: SwarmTorrent, peer: KnownPeer, modes = this.#dialModes.of(torrent, peer)): void {
    const [mode, ...later] = modes;
    const contact: Contact = { ...newContact(this.#clock.nowMs()), dialled: { torrent, peer, mode, later } };
    const connection = Connection.dial({
      owner: this,
      nowMs: this.#clock.nowMs,
      host: peer.host,
      port: peer.port,
      encryption: mode === "encrypted" ? this.#encryption : undefined,
      onConnect: (made) => {
        contact.connected = true;
        made.sendHandshake({ infoHash: peer.infoHash, peerId: this.peerId });
      },
    });
    this.#contacts.set(connection, contact);
  }

  onHandshake(connection: Connection, handshake: Handshake) {
    const contact = this.#contacts.get(connection);
    const torrent = this.#routes.get(handshake.infoHash);
    if (contact === undefined) return undefined;
    contact.greeted = true;
    if (contact.dialled !== undefined) this.#dialModes.onAnswer(contact.dialled);
    if (torrent === undefined) return undefined;
    if (!isExpected(contact, { torrent, infoHash: handshake.infoHash })) return undefined;
    const us = { infoHash: handshake.infoHash, peerId: this.peerId };
    if (handshake.peerId === this.peerId) {
      if (contact.dialled !== undefined) torrent.addresses.forget(contact.dialled.peer);
      return connection.decline(us);
    }
    if (!this.#welcome(torrent, handshake.peerId, connection)) return undefined;
    if (this.#isSecond(connection, contact, torrent, handshake)) return connection.decline(us);
    if (connection.incoming) connection.sendHandshake(us);
    const link = new PeerLink({
      connection,
      peerId: handshake.peerId,
      infoHash: handshake.infoHash,
      fast: handshake.fast,
      pieceCount: torrent.geometry.pieceCount,
      events: torrent.links,
      nowMs: this.#clock.nowMs,
    });
    contact.torrent = torrent;
    contact.link = link;
    torrent.links.add(link);
    if (handshake.extended) sendExtendedHandshake(torrent, link, this.advertisedPort);
    torrent.links.onGreeted(link);
    // a message is at most the final torrents: hashes of all pieces and some room
    const messageBytes = 64 * 1024 + torrent.geometry.pieceCount * 64;
    return { handler: link, limits: { blockBytes: OUR_BLOCK_BYTES, messageBytes } };
  }

  /** Whether the peer may stay: it is not banned, and there is room. */
  #welcome(torrent: SwarmTorrent, peerId: PeerId, connection: Connection): boolean {
    if (this.#conduct.isBanned(peerId, this.#clock.nowMs())) return false;
    return hasLinkRoom(torrent.state.links, connection) || this.#makeRoom(connection.host, torrent);
  }

  /** Ends the connection whose place is most needed, of the torrent or of all; false: there is none to end. */
  #makeRoom(host: string, torrent?: SwarmTorrent): boolean {
    const link = whoLeaves(guestsOf(this.#contacts, torrent), host.replace(/^::ffff:/, ""), this.#clock.nowMs());
    if (link === undefined) return false;
    link.connection.close("another peer takes its place");
    this.#contacts.get(link.connection)?.torrent?.links.remove(link);
    return true;
  }

  /**
   * Whether there is a connection to the peer that stays: where both dialled each other, the one that the smaller id opened, and both
   * sides know it. An address that led to it is not dialled again while it lasts.
   */
  #isSecond(connection: Connection, contact: Contact, torrent: SwarmTorrent, handshake: Handshake): boolean {
    for (const link of torrent.state.links) {
      if (link.peerId !== handshake.peerId) continue;
      if (!newerStays(link.connection, connection, handshake.peerId < this.peerId)) {
        handOver(contact, this.#contacts.get(link.connection));
        return true;
      }
      handOver(this.#contacts.get(link.connection), contact);
      link.connection.close("second connection to the same peer");
      torrent.links.remove(link);
    }
    return false;
  }

  onClose(connection: Connection, reason: string): void {
    const contact = this.#contacts.get(connection);
    this.#contacts.delete(connection);
    if (contact === undefined) return;
    const { dialled, met, link, torrent } = contact;
    if (dialled !== undefined && this.#dialAgain(contact)) return;
    const nowMs = this.#clock.nowMs();
    if (dialled !== undefined) met.push(dialled);
    for (const way of met) way.torrent.addresses.release(way.peer, link !== undefined, nowMs);
    if (link === undefined || torrent === undefined) return;
    this.#options.logger.debug({ host: connection.host, port: connection.port, reason }, "peer connection ended");
    torrent.links.remove(link);
  }

  #dialAgain(contact: Contact): boolean {
    const modes = waysLeft(contact);
    if (contact.dialled === undefined || modes.length === 0 || this.#closed || !this.#opened.has(contact.dialled.torrent)) return false;
    this.#dial(contact.dialled.torrent, contact.dialled.peer, modes);
    return true;
  }

  onFault(connection: Connection, error: unknown): void {
    const { host, port } = connection;
    if (error instanceof SkimmerError) {
      const contact = this.#contacts.get(connection);
      if (contact?.link !== undefined) contact.torrent?.judge.note(contact.link, "protocol", error.message);
      return;
    }
    this.#options.logger.error({ host, port, err: error instanceof Error ? error.stack : String(error) }, "handling a peer's bytes failed");
  }

  onDrain(connection: Connection): void {
    const contact = this.#contacts.get(connection);
    if (contact?.link !== undefined) contact.torrent?.uploader.pump(contact.link);
  }

  #onBanned({ id, reason }: BannedPeer): void {
    for (const [connection, { link }] of this.#contacts) if (link?.peerId === id) connection.close(reason);
  }

  #route(torrent: SwarmTorrent): void {
    for (const hash of Object.values(torrent.infoHashes)) {
      if (hash === undefined) continue;
      this.#routes.set(hash, torrent);
      this.#encryption.add(hash);
    }
  }

  #unroute(hash: InfoHash): void {
    this.#routes.delete(hash);
    this.#encryption.delete(hash);
  }

  // ---- time ----

  /** Starts the clock where it stands still: an idle engine has no timer. */
  #wake(): void {
    if (this.#closed) return;
    this.#dialAll();
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    let busy = this.#contacts.size > 0;
    for (const [connection, contact] of this.#contacts) {
      if (contact.link === undefined && nowMs - contact.sinceMs > HANDSHAKE_TIMEOUT_MS) connection.close("no handshake in time");
      else if (connection.unreadMs(nowMs) > UNREAD_MS) connection.close("peer does not read what it asks for");
      else connection.flush();
    }
    for (const torrent of this.torrents.values()) {
      busy ||= torrent.downloader.on;
      torrent.tick(nowMs);
    }
    this.#dialAll();
    if (busy) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #dialAll(): void {
    if (this.#options.role === "seeder") return;
    const nowMs = this.#clock.nowMs();
    let dialing = countDialing(this.#contacts.values());
    for (const torrent of this.torrents.values()) {
      if (!torrent.downloader.on || torrent.complete) continue;
      const room = Math.min(MOST_DIALING - dialing, dialRoom(torrent.state.links), MOST_CONNECTIONS - this.#contacts.size);
      const isBanned = (host: string, port: number): boolean => this.#conduct.isBanned(addressKey({ host, port }), nowMs);
      const facts = { nowMs, isAlone: torrent.state.links.size === 0, isBanned };
      for (const peer of torrent.addresses.take(Math.max(0, room), facts)) {
        dialing++;
        this.#dial(torrent, peer);
      }
    }
  }
}
