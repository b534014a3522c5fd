/**
 * One torrent of the engine: wires its parts together and implements the Torrent face (types.ts).
 *
 * What peers say comes in through TorrentLinks; what to ask for is Downloader's, what to send Uploader's, what to announce PieceSpread's,
 * what is true PieceTruth's, what is on disk PieceStore's, what comes from the origin OriginPieces'.
 * Invariant: a piece is announced only after it is in `have`.
 */
import { EventEmitter } from "node:events";
import { toSkimmerError } from "../../system/errors.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import { parseInfos } from "../../torrents/parse-info.ts";
import type { PieceRecord, RecordGroup } from "../../torrents/piece-records.ts";
import { AddressBook } from "./address-book.ts";
import { Downloader } from "./downloader.ts";
import { layerFiles } from "./layer-store.ts";
import type { LiveExchange } from "./live-exchange.ts";
import { type OriginPieceEvents, OriginPieces } from "./origin-pieces.ts";
import type { BannedPeer } from "./peer-conduct.ts";
import { PeerJudge } from "./peer-judge.ts";
import type { PeerLink } from "./peer-link.ts";
import { PieceAccount } from "./piece-account.ts";
import type { PieceDownload } from "./piece-download.ts";
import { PieceSpread } from "./piece-spread.ts";
import type { PieceStore } from "./piece-store.ts";
import { RateMeter } from "./rate-meter.ts";
import { cacheKey, isHere, type SwarmState } from "./swarm-state.ts";
import type { TorrentIdentity } from "./torrent-identity.ts";
import { TorrentLinks } from "./torrent-links.ts";
import type { Claim, Delivery, PieceBuffer, PieceSpan, Torrent, TorrentEvents, TorrentPeer, TorrentStats } from "./types.ts";
import { Uploader } from "./uploader.ts";

export interface TorrentWiring {
  readonly state: SwarmState;
  readonly identity: TorrentIdentity;
  readonly store: PieceStore;
  readonly role: "peer" | "seeder";
  /** Makes the live exchange, for torrents with a live info dict. */
  live(torrent: SwarmTorrent): LiveExchange | undefined;
  /** Writes what is known besides the pieces. */
  saveMeta(torrent: SwarmTorrent): Promise<void>;
  /** There may be somebody to dial, or something to ask for. */
  wake(): void;
  /** Its connections end, in all torrents. */
  onBanned(peer: BannedPeer): void;
  /** The final info hashes became known: the engine routes them here too. */
  onFinal(torrent: SwarmTorrent): void;
}

export class SwarmTorrent extends EventEmitter<TorrentEvents> implements Torrent {
  readonly state: SwarmState;
  readonly identity: TorrentIdentity;
  readonly addresses = new AddressBook();
  readonly downloader: Downloader;
  readonly uploader: Uploader;
  readonly judge: PeerJudge;
  readonly live: LiveExchange | undefined;
  readonly store: PieceStore;
  readonly links: TorrentLinks;
  readonly #wiring: TorrentWiring;
  readonly #account: PieceAccount;
  readonly #origin: OriginPieces;
  readonly #spread: PieceSpread;
  readonly #upload = new RateMeter();
  #wasComplete = false;
  #layerSaved: boolean;
  #closed = false;
  #failure: Error | undefined;

  constructor(wiring: TorrentWiring) {
    super();
    this.setMaxListeners(0);
    this.#wiring = wiring;
    this.state = wiring.state;
    this.identity = wiring.identity;
    this.#account = new PieceAccount(this.state.clock);
    this.store = wiring.store;
    this.judge = new PeerJudge(this.state, (peer) => this.#onBanned(peer));
    this.downloader = new Downloader(this.state, {
      onWholePiece: (piece) => void this.#check(piece),
      onStalled: (link, withinMs) => this.judge.onStalled(link, withinMs),
      onRefused: (link, index) => this.#onRefused(link, index),
    });
    this.uploader = new Uploader(this.state, (error) => this.#fail(error));
    this.live = wiring.live(this);
    this.#layerSaved = this.state.truth.allRootsKnown;
    this.state.truth.onLearnt = () => this.#onLearnt();
    const signs = this.identity.signer !== undefined;
    this.#origin = new OriginPieces({
      state: this.state,
      store: this.store,
      downloader: this.downloader,
      account: this.#account,
      signs,
      events: this.#originEvents(),
    });
    const hides = wiring.role === "seeder" && wiring.identity.liveInfo !== undefined;
    this.#spread = new PieceSpread({ state: this.state, uploader: this.uploader, live: this.live, hides });
    const { state, identity, downloader, uploader, judge, live, addresses } = this;
    const parts = { state, identity, role: wiring.role, hides, downloader, uploader, judge, live, addresses };
    this.links = new TorrentLinks({ ...parts, spread: this.#spread, wake: () => wiring.wake() });
    for (let index = 0; index < this.state.have.length; index++) {
      if (this.has(index)) this.#account.from.cache += this.state.truth.lengthAt(index);
    }
    this.#wasComplete = this.complete;
    if (this.#wasComplete) this.#finishSigning();
  }

  get name(): string {
    return this.identity.name;
  }
  get geometry() {
    return this.state.geometry;
  }
  get infoHash(): InfoHash {
    return this.identity.infoHash;
  }
  get infoHashes() {
    return this.identity.infoHashes;
  }
  get infoV1(): Buffer | undefined {
    return this.identity.infoV1;
  }
  get infoV2(): Buffer | undefined {
    return this.identity.infoV2;
  }
  get pieceLayer(): Buffer | undefined {
    return this.state.truth.allRootsKnown ? this.state.truth.layer : undefined;
  }
  get finalSignature(): Buffer | undefined {
    return this.live?.final?.signature;
  }
  get liveInfo(): Buffer | undefined {
    return this.identity.liveInfo;
  }
  get dataPath(): string {
    return this.state.data.path;
  }
  get layout() {
    return this.identity.layout;
  }
  get filePaths(): readonly string[] {
    return this.state.data.paths;
  }

  get complete(): boolean {
    return this.state.have.count + this.state.unverified.count === this.geometry.pieceCount;
  }

  get stats(): TorrentStats {
    const nowMs = this.state.clock.nowMs();
    let seeds = 0;
    for (const link of this.state.links) if (link.bitfield.isFull) seeds++;
    return {
      from: { ...this.#account.from },
      piecesHave: this.state.have.count + this.state.unverified.count,
      pieceCount: this.geometry.pieceCount,
      bytesHave: Object.values(this.#account.from).reduce((sum, bytes) => sum + bytes, 0),
      uploadedBytes: this.uploader.uploadedBytes,
      downloadBytesPerSecond: this.#account.rate.rate(nowMs),
      uploadBytesPerSecond: this.#upload.rateOfTotal(this.uploader.uploadedBytes, nowMs),
      connections: this.state.links.size,
      seeds,
      bannedPeers: this.judge.count,
    };
  }

  get banned(): BannedPeer[] {
    return this.judge.banned;
  }

  get peers(): TorrentPeer[] {
    return [...this.state.links].map((link) => ({
      peerId: link.peerId,
      transport: link.connection.transport,
      host: link.connection.host,
      port: link.listenPort,
      seeder: link.seeder,
      piecesHave: link.bitfield.count,
      downloadBytesPerSecond: Math.round(link.depth.bytesPerSecond),
      uploadedBytes: link.uploadedBytes,
    }));
  }

  has(index: number): boolean {
    return isHere(this.state, index);
  }

  addPeers(peers: readonly { host: string; port: number }[], infoHash: InfoHash = this.infoHash): void {
    for (const { host, port } of peers) this.addresses.add({ host, port, infoHash });
    this.#wiring.wake();
  }

  download(on: boolean): void {
    if (on === this.downloader.on) return;
    if (!on) return this.downloader.stop();
    this.downloader.on = true;
    this.links.onDownload();
    this.downloader.fillAll();
    this.#wiring.wake();
  }

  setDownloadLimit(bytesPerSecond: number): void {
    this.state.downloadLimiter.setRate(bytesPerSecond);
  }

  setSeedersOnly(on: boolean): void {
    this.downloader.seedersOnly = on;
  }

  setPriority(priority: number): void {
    this.state.downloadShare.setPriority(priority);
  }

  throttle(bytes: number): Promise<void> | undefined {
    return this.state.downloadLimiter.take(bytes);
  }

  setCursor(index: number | undefined): void {
    this.downloader.picker.setCursor(index);
  }

  setWanted(spans: readonly PieceSpan[] | undefined): void {
    this.downloader.setWanted(spans);
    this.downloader.fillAll();
  }

  // ---- pieces from the origin ----

  claimMissing(maxPieces: number): Claim | undefined {
    return this.#origin.claimMissing(maxPieces);
  }

  unclaim(index: number): void {
    this.downloader.unclaim(index);
  }

  acquire(index: number, { signal }: { signal: AbortSignal }): Promise<PieceBuffer> {
    return this.#origin.acquire(index, signal);
  }

  deliver(buffer: PieceBuffer, source: "origin"): Promise<Delivery> {
    return this.#origin.deliver(buffer, source);
  }

  async read(index: number, range?: { start: number; lengthBytes: number }): Promise<Buffer> {
    const start = range?.start ?? 0;
    const bytes = Buffer.allocUnsafe(range?.lengthBytes ?? this.state.truth.lengthAt(index) - start);
    await this.readInto(index, start, bytes);
    return bytes;
  }

  async readInto(index: number, start: number, target: Buffer): Promise<void> {
    const slot = this.state.buffers.lookup(cacheKey(this.state, index));
    if (slot === undefined) return this.state.data.read(target, index * this.geometry.pieceLengthBytes + start);
    slot.bytes.copy(target, 0, start, start + target.length);
    this.state.buffers.release(slot);
  }

  #originEvents(): OriginPieceEvents {
    const torrent = this;
    return {
      get closed() {
        return torrent.#closed;
      },
      onTruth: (records) => this.live?.sign(records),
      onGood: (index, bytes) => this.judge.onGoodPiece(index, bytes),
      onStored: (index, verified) => this.#onStored(index, verified),
      onSettled: () => this.#completeOnce(),
      fail: (error) => this.#fail(error),
    };
  }

  #finishSigning(): void {
    if (this.store.sha1s !== undefined && this.state.truth.allRootsKnown) this.live?.finish(this.store.sha1s);
  }

  // ---- pieces from peers ----

  /** Hashes from peers are saved as soon as they are whole: without them nothing on the disk can be checked after a power loss. */
  #onLearnt(): void {
    this.downloader.fillAll();
    if (this.#layerSaved || !this.state.truth.allRootsKnown) return;
    this.#layerSaved = true;
    this.#wiring.saveMeta(this).catch((error: Error) => this.#fail(error));
  }

  async #check(piece: PieceDownload<PeerLink>): Promise<void> {
    const { index, slot } = piece;
    this.#account.open(index);
    try {
      if (this.has(index)) return this.downloader.onChecked(index);
      const checked = await this.store.check(index, slot, "verify");
      this.downloader.onChecked(index);
      if (this.#closed) return;
      if (checked.kind === "mismatch") return this.judge.onBadPiece(piece);
      this.judge.onGoodPiece(index, slot.bytes.subarray(0, piece.lengthBytes));
      const sources = [...piece.bringers].map((link) => (link.seeder ? "seeder" : "peers"));
      this.#account.credit(index, piece.lengthBytes, sources);
      this.#onStored(index, checked.kind === "stored");
    } catch (error) {
      this.downloader.onChecked(index);
      this.#fail(error as Error);
    } finally {
      this.#account.close(index);
      this.#completeOnce();
      this.state.buffers.release(slot);
      this.downloader.fillAll();
    }
  }

  #onBanned(peer: BannedPeer): void {
    this.#wiring.onBanned(peer);
    this.emit("banned", peer);
  }

  #onRefused(link: PeerLink, index: number): void {
    link.forgetPiece(index);
    this.judge.note(link, "refused", `announced piece ${index} and refused to send it`);
  }

  #onStored(index: number, verified: boolean): void {
    if (verified) this.#spread.announce(index);
    this.links.onStored(index);
    this.emit("piece", index);
    this.#completeOnce();
  }

  /** Several pieces become ours in one turn: whoever hears that all are here finds them all counted. */
  #completeOnce(): void {
    if (this.#wasComplete || this.#closed || !this.complete || !this.#account.settled) return;
    this.#wasComplete = true;
    this.#finishSigning();
    this.#wiring.saveMeta(this).catch((error: Error) => this.#fail(error));
    for (const link of this.state.links) link.tellNeedsNothing();
    this.emit("complete");
  }

  // ---- live torrents ----

  onRecords(group: RecordGroup, fresh: readonly PieceRecord[]): void {
    this.store.journalGroup(group);
    for (const { index } of fresh) {
      const wasKept = this.state.unverified.has(index);
      if (this.store.settleUnverified(index, this.state.truth)) this.#spread.announce(index);
      else if (wasKept) {
        this.#wasComplete = false;
        this.links.onDropped(index);
      }
    }
    if (this.identity.signer === undefined) this.downloader.fillAll();
  }

  onFinal(final: { infoV1: Buffer; infoV2: Buffer }): void {
    this.identity.useFinal(final);
    const { v1, v2 } = this.infoHashes;
    for (const infoHash of [v1, v2]) if (infoHash !== undefined) this.addresses.addHash(infoHash);
    this.state.truth.useFiles(layerFiles(parseInfos({ infoV2: final.infoV2 }).layout));
    this.#wiring.onFinal(this);
    this.#wiring.saveMeta(this).catch((error: Error) => this.#fail(error));
    queueMicrotask(() => this.emit("final"));
  }

  // ---- time ----

  /** Called a few times a second while there are links. */
  tick(nowMs: number): void {
    if (this.downloader.on) this.downloader.tick(nowMs);
    this.#spread.tick(nowMs);
    this.links.tick(nowMs);
  }

  /** Ends all links; the engine closes the files. */
  close(): void {
    this.#origin.flush();
    this.#closed = true;
    this.downloader.stop();
    for (const link of this.state.links) link.connection.close("torrent closed");
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined || this.#closed) return;
    this.#failure = error;
    this.downloader.stop();
    this.state.logger.error({ err: error.message, torrent: this.infoHash }, "torrent stopped");
    this.emit("failed", toSkimmerError(error));
  }
}
