/**
 * One torrent of the engine: wires its parts together and implements the Torrent face (types.ts).
 *
 * It owns the links; what to ask for is Downloader's, what to send Uploader's, what is true PieceTruth's, what is on disk
 * PieceStore's. Longer than other files because every event of a link passes here; pieces from the origin (claim, deliver, sign) are the
 * part to split off next. Invariant: a piece is announced only after it is in `have`, and its record group goes ahead of the HAVE.
 */
import { EventEmitter } from "node:events";
import { SkimmerError, toSkimmerError } from "../../system/errors.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { PieceRecord, RecordGroup } from "../../torrents/piece-records.ts";
import { AddressBook } from "./address-book.ts";
import { Bitfield } from "./bitfield.ts";
import { chooseUnchoked } from "./choker.ts";
import { planClaim } from "./claim-plan.ts";
import { Downloader } from "./downloader.ts";
import type { LiveExchange } from "./live-exchange.ts";
import { answerMetadata } from "./metadata-exchange.ts";
import { addressKey, type BannedPeer } from "./peer-conduct.ts";
import { PeerJudge } from "./peer-judge.ts";
import type { LinkEvents, PeerLink } from "./peer-link.ts";
import { encodePex, type PexAddress, parsePex } from "./pex.ts";
import type { PieceDownload } from "./piece-download.ts";
import type { PieceStore } from "./piece-store.ts";
import { RateMeter } from "./rate-meter.ts";
import { RequestDepth } from "./request-depth.ts";
import { RevealPlan } from "./reveal.ts";
import { SigningBatch } from "./signing-batch.ts";
import { cacheKey, type SwarmState } from "./swarm-state.ts";
import type { TorrentIdentity } from "./torrent-identity.ts";
import type { ByteSource, Claim, Delivery, PieceBuffer, PieceSpan, Torrent, TorrentEvents, TorrentPeer, TorrentStats } from "./types.ts";
import { Uploader } from "./uploader.ts";
import { OUR_EXTENSION } from "./wire/extended-handshake.ts";
import { type BlockRange, encodeBitfield, encodeExtended, encodeFlag, encodeIndex, MESSAGE } from "./wire/messages.ts";

const CHOKE_EVERY_MS = 10_000;
const PEX_EVERY_MS = 60_000;
const KEEP_ALIVE_MS = 90_000;
const SILENT_MS = 180_000;

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

export class SwarmTorrent extends EventEmitter<TorrentEvents> implements Torrent, LinkEvents {
  readonly state: SwarmState;
  readonly identity: TorrentIdentity;
  readonly addresses = new AddressBook();
  readonly downloader: Downloader;
  readonly uploader: Uploader;
  readonly judge: PeerJudge;
  readonly live: LiveExchange | undefined;
  readonly store: PieceStore;
  readonly #wiring: TorrentWiring;
  readonly #reveal: RevealPlan<PeerLink> | undefined;
  readonly #from: Record<ByteSource, number> = { origin: 0, seeder: 0, peers: 0, cache: 0 };
  readonly #download = new RateMeter();
  readonly #upload = new RateMeter();
  /** What the seeder gives away, for the reveal's window. */
  readonly #uploadRate: RequestDepth;
  #uploadSeenBytes = 0;
  readonly #pexKnown = new WeakMap<PeerLink, Map<string, PexAddress>>();
  readonly #unsigned = new SigningBatch((records) => this.#sign(records));
  #nextChokeMs = 0;
  #nextPexMs = 0;
  #wasComplete = false;
  /** Pieces that are being checked: they may be ours already, and are not in the account yet. */
  readonly #uncounted = new Set<number>();
  #closed = false;
  #failure: Error | undefined;

  constructor(wiring: TorrentWiring) {
    super();
    this.setMaxListeners(0);
    this.#wiring = wiring;
    this.state = wiring.state;
    this.identity = wiring.identity;
    this.#uploadRate = new RequestDepth(0, this.state.clock.nowMs());
    this.store = wiring.store;
    this.judge = new PeerJudge(this.state, (peer) => this.#onBanned(peer));
    this.downloader = new Downloader(this.state, {
      onWholePiece: (piece) => void this.#check(piece),
      onStalled: (link, withinMs) => this.judge.onStalled(link, withinMs),
      onRefused: (link, index) => this.#onRefused(link, index),
    });
    this.uploader = new Uploader(this.state, (error) => this.#fail(error));
    this.live = wiring.live(this);
    const live = wiring.identity.liveInfo !== undefined;
    if (wiring.role === "seeder" && live) this.#reveal = new RevealPlan(this.state.geometry.pieceLengthBytes);
    for (let index = 0; index < this.state.have.length; index++) {
      if (!this.has(index)) continue;
      this.#from.cache += this.state.truth.lengthAt(index);
      this.#reveal?.addPiece(index, this.state.clock.nowMs());
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

  get complete(): boolean {
    return this.state.have.count + this.state.unverified.count === this.geometry.pieceCount;
  }

  get stats(): TorrentStats {
    const nowMs = this.state.clock.nowMs();
    let seeds = 0;
    for (const link of this.state.links) if (link.bitfield.isFull) seeds++;
    return {
      from: { ...this.#from },
      piecesHave: this.state.have.count + this.state.unverified.count,
      pieceCount: this.geometry.pieceCount,
      bytesHave: Object.values(this.#from).reduce((sum, bytes) => sum + bytes, 0),
      uploadedBytes: this.uploader.uploadedBytes,
      downloadBytesPerSecond: this.#download.rate(nowMs),
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
      host: link.connection.host,
      port: link.listenPort,
      seeder: link.seeder,
      piecesHave: link.bitfield.count,
      downloadBytesPerSecond: Math.round(link.depth.bytesPerSecond),
      uploadedBytes: link.uploadedBytes,
    }));
  }

  has(index: number): boolean {
    return this.state.have.has(index) || this.state.unverified.has(index);
  }

  addPeers(peers: readonly { host: string; port: number }[], infoHash: InfoHash = this.infoHash): void {
    for (const { host, port } of peers) this.addresses.add({ host, port, infoHash });
    this.#wiring.wake();
  }

  download(on: boolean): void {
    if (on === this.downloader.on) return;
    if (!on) return this.downloader.stop();
    this.downloader.on = true;
    for (const link of this.state.links) this.#updateInterest(link);
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
    const { picker } = this.downloader;
    const isNeeded = (index: number): boolean => this.downloader.isNeeded(index);
    // a signer reads for all, and one without peers for itself: both in order
    const inOrder = this.identity.signer !== undefined || this.state.links.size === 0;
    const availability = inOrder ? undefined : (index: number): number => picker.availability(index);
    const facts = { pieceCount: this.geometry.pieceCount, mostPieces: maxPieces, isNeeded, availability, cursor: picker.cursor };
    const claim = planClaim(facts, this.state.random);
    if (claim !== undefined) for (let step = 0; step < claim.count; step++) this.downloader.claim(claim.first + step);
    return claim;
  }

  unclaim(index: number): void {
    this.downloader.unclaim(index);
  }

  async acquire(index: number, options: { signal: AbortSignal }): Promise<PieceBuffer> {
    const lengthBytes = this.state.truth.lengthAt(index);
    const slot = await this.state.buffers.acquire(lengthBytes, options.signal);
    let released = false;
    const release = (): void => {
      if (!released) this.state.buffers.release(slot);
      released = true;
    };
    return { index, bytes: slot.bytes.subarray(0, lengthBytes), release, slot } as PieceBuffer;
  }

  async deliver(buffer: PieceBuffer, source: "origin"): Promise<Delivery> {
    const { slot } = buffer as PieceBuffer & { slot: Parameters<PieceStore["check"]>[1] };
    const { index } = buffer;
    let signing = false;
    this.#uncounted.add(index);
    try {
      if (this.has(index)) return { kind: "duplicate" };
      // who delivers from a file claimed nothing
      this.downloader.claim(index);
      const signs = this.identity.signer !== undefined;
      const checked = await this.store.check(index, slot, signs ? "sign" : "verify");
      if (checked.kind === "mismatch" || this.#closed) return { kind: "mismatch" };
      this.#from[source] += this.state.truth.lengthAt(index);
      this.#download.add(this.state.truth.lengthAt(index), this.state.clock.nowMs());
      this.#uncounted.delete(index);
      if (checked.kind === "stored") this.judge.onGoodPiece(index, buffer.bytes);
      signing = signs;
      // the claim stays until the piece is signed: nobody may fetch it again meanwhile
      const progress = { signed: this.state.have.count, pieceCount: this.geometry.pieceCount };
      if (signing) this.#unsigned.add({ index, root: (checked as { root: Buffer }).root }, progress);
      else this.#onStored(index, checked.kind === "stored");
      return { kind: checked.kind };
    } catch (error) {
      this.#fail(error as Error);
      throw error;
    } finally {
      buffer.release();
      this.#uncounted.delete(index);
      if (!signing) this.unclaim(index);
      this.#completeOnce();
    }
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

  #sign(records: readonly PieceRecord[]): void {
    if (this.#closed) return;
    this.live?.sign(records);
    for (const { index } of records) {
      this.store.markStored(index);
      this.unclaim(index);
      this.#onStored(index, true);
    }
  }

  #finishSigning(): void {
    if (this.store.sha1s !== undefined && this.state.truth.allRootsKnown) this.live?.finish(this.store.sha1s);
  }

  // ---- pieces from peers ----

  async #check(piece: PieceDownload<PeerLink>): Promise<void> {
    const { index, slot } = piece;
    this.#uncounted.add(index);
    try {
      const checked = await this.store.check(index, slot, "verify");
      this.downloader.onChecked(index);
      if (this.#closed) return;
      if (checked.kind === "mismatch") return this.judge.onBadPiece(piece);
      this.judge.onGoodPiece(index, slot.bytes.subarray(0, piece.lengthBytes));
      this.#countBringers(piece);
      this.#onStored(index, checked.kind === "stored");
    } catch (error) {
      this.downloader.onChecked(index);
      this.#fail(error as Error);
    } finally {
      this.#uncounted.delete(index);
      this.#completeOnce();
      this.state.buffers.release(slot);
      this.downloader.fillAll();
    }
  }

  #countBringers(piece: PieceDownload<PeerLink>): void {
    const bringers = [...piece.bringers];
    const share = piece.lengthBytes / Math.max(1, bringers.length);
    for (const link of bringers) this.#from[link.seeder ? "seeder" : "peers"] += Math.round(share);
    this.#download.add(piece.lengthBytes, this.state.clock.nowMs());
    this.#uncounted.delete(piece.index);
  }

  #onBanned(peer: BannedPeer): void {
    this.#wiring.onBanned(peer);
    this.emit("banned", peer);
  }

  #onRefused(link: PeerLink, index: number): void {
    const single = new Bitfield(this.geometry.pieceCount);
    single.add(index);
    this.downloader.picker.removeHolders(single);
    link.forgetPiece(index);
    if (!this.has(index) && --link.interesting === 0) this.#updateInterest(link);
    this.judge.note(link, "refused", `announced piece ${index} and refused to send it`);
  }

  #onStored(index: number, verified: boolean): void {
    if (verified) this.#announce(index);
    for (const link of this.state.links) {
      if (link.bitfield.has(index) && --link.interesting === 0) this.#updateInterest(link);
    }
    this.emit("piece", index);
    this.#completeOnce();
  }

  /** Several pieces become ours in one turn: whoever hears that all are here finds them all counted. */
  #completeOnce(): void {
    if (this.#wasComplete || this.#closed || !this.complete || this.#uncounted.size > 0) return;
    this.#wasComplete = true;
    this.#finishSigning();
    this.#wiring.saveMeta(this).catch((error: Error) => this.#fail(error));
    this.emit("complete");
  }

  #announce(index: number): void {
    if (this.#reveal !== undefined) {
      this.#reveal.addPiece(index, this.state.clock.nowMs());
      const group = this.state.truth.groupOf(index);
      for (const link of this.state.links) {
        if (link.ours) this.live?.tell(link, group);
        else link.connection.send(encodeIndex(MESSAGE.have, index));
      }
      this.#showPieces();
      return;
    }
    for (const link of this.state.links) this.#sendHave(link, index);
  }

  #sendHave(link: PeerLink, index: number): void {
    if (!link.ours && link.bitfield.has(index)) return;
    this.live?.tell(link, this.state.truth.groupOf(index));
    link.connection.send(encodeIndex(MESSAGE.have, index));
  }

  #showPieces(): void {
    const nowMs = this.state.clock.nowMs();
    this.#uploadRate.onBytes(this.uploader.uploadedBytes - this.#uploadSeenBytes, nowMs);
    this.#uploadSeenBytes = this.uploader.uploadedBytes;
    const shown = this.#reveal?.decide(nowMs, this.#uploadRate.bytesPerSecond) ?? [];
    for (const { peer, index } of shown) this.#sendHave(peer, index);
  }

  // ---- links ----

  /** A peer shook hands: tell it what we have. The extended handshake is the engine's. */
  addLink(link: PeerLink): void {
    this.state.links.add(link);
    const { have } = this.state;
    const hidden = this.#reveal !== undefined && link.ours;
    if (hidden) this.#reveal?.addPeer(link, this.state.clock.nowMs());
    if (hidden || have.count === 0) {
      if (link.fast) link.connection.send(encodeFlag(MESSAGE.haveNone));
    } else if (have.isFull && link.fast) link.connection.send(encodeFlag(MESSAGE.haveAll));
    else link.connection.send(encodeBitfield(have.bytes));
    if (hidden) this.#showPieces();
  }

  removeLink(link: PeerLink): void {
    if (!this.state.links.delete(link)) return;
    this.downloader.dropRequests(link);
    this.downloader.picker.removeHolders(link.bitfield);
    link.wanted = [];
    this.#reveal?.removePeer(link);
    this.#showPieces();
    this.downloader.fillAll();
  }

  onBitfield(link: PeerLink): void {
    this.downloader.picker.addHolders(link.bitfield);
    link.interesting = 0;
    for (let index = 0; index < link.bitfield.length; index++) if (link.bitfield.has(index) && !this.has(index)) link.interesting++;
    this.#reveal?.onBitfield(link, this.state.clock.nowMs());
    this.#updateInterest(link);
    if (this.#reveal !== undefined) this.#showPieces();
  }

  onHave(link: PeerLink, index: number): void {
    this.downloader.picker.addHolder(index);
    if (!this.has(index)) {
      link.interesting++;
      this.#updateInterest(link);
      this.downloader.fill(link);
    }
    if (this.#reveal === undefined) return;
    this.#reveal.onHave(link, index, this.state.clock.nowMs());
    this.#showPieces();
  }

  #updateInterest(link: PeerLink): void {
    link.setInterested(this.downloader.on && link.interesting > 0);
  }

  onChoked(link: PeerLink): void {
    if (!link.fast) this.downloader.dropRequests(link);
  }

  onUnchoked(link: PeerLink): void {
    this.downloader.fill(link);
  }

  onInterest(link: PeerLink): void {
    if (link.peerInterested) this.#rechoke();
  }

  onRequest(link: PeerLink, range: BlockRange): void {
    this.uploader.onRequest(link, range);
  }

  onCancel(link: PeerLink, range: BlockRange): void {
    this.uploader.onCancel(link, range);
  }

  onReject(link: PeerLink, range: BlockRange): void {
    this.downloader.onReject(link, range);
  }

  onBlockBegin(link: PeerLink, range: BlockRange): Buffer | undefined {
    return this.downloader.onBlockBegin(link, range);
  }

  onBlockEnd(link: PeerLink, range: BlockRange): void {
    this.downloader.onBlockEnd(link, range);
  }

  onExtendedHandshake(link: PeerLink): void {
    const { conduct, clock } = this.state;
    const address = { host: link.connection.host, port: link.listenPort };
    if (conduct.isBanned(addressKey(address), clock.nowMs())) return link.connection.close("banned");
    if (link.extensions.live > 0) this.live?.onPeer(link);
  }

  onExtended(link: PeerLink, extensionId: number, payload: Buffer): void {
    if (extensionId === OUR_EXTENSION.live) this.#onLive(link, payload);
    else if (extensionId === OUR_EXTENSION.pex) this.#onPex(payload);
    else if (extensionId === OUR_EXTENSION.metadata) {
      const answer = answerMetadata(payload, this.identity.infoFor(link.infoHash));
      if (answer !== undefined && link.extensions.metadata > 0) link.connection.send(encodeExtended(link.extensions.metadata, answer));
    }
  }

  #onPex(payload: Buffer): void {
    if (this.#wiring.role === "peer" && !this.downloader.seedersOnly) this.addPeers(parsePex(payload));
  }

  #onLive(link: PeerLink, payload: Buffer): void {
    try {
      this.live?.onMessage(link, payload);
    } catch (error) {
      if (error instanceof SkimmerError) this.judge.note(link, "bad_record", error.message);
      throw error;
    }
  }

  // ---- live torrents ----

  onRecords(group: RecordGroup, fresh: readonly PieceRecord[]): void {
    this.store.journalGroup(group);
    for (const { index } of fresh) {
      const wasKept = this.state.unverified.has(index);
      if (this.store.settleUnverified(index, this.state.truth)) this.#announce(index);
      else if (wasKept) this.#onDropped(index);
    }
    if (this.identity.signer === undefined) this.downloader.fillAll();
  }

  /** What we had ourselves was wrong: whoever announced the piece has something for us after all. */
  #onDropped(index: number): void {
    this.#wasComplete = false;
    for (const link of this.state.links) {
      if (!link.bitfield.has(index)) continue;
      link.interesting++;
      this.#updateInterest(link);
    }
  }

  onFinal(final: { infoV1: Buffer; infoV2: Buffer }): void {
    this.identity.useFinal(final);
    this.#wiring.onFinal(this);
    this.#wiring.saveMeta(this).catch((error: Error) => this.#fail(error));
    queueMicrotask(() => this.emit("final"));
  }

  // ---- time ----

  /** Called a few times a second while there are links. */
  tick(nowMs: number): void {
    if (this.downloader.on) this.downloader.tick(nowMs);
    for (const { peer, index } of this.#reveal?.decideStuck(nowMs) ?? []) this.#sendHave(peer, index);
    if (nowMs >= this.#nextChokeMs) this.#rechoke();
    if (nowMs >= this.#nextPexMs) this.#tellPeers(nowMs);
    for (const link of this.state.links) {
      if (nowMs - link.connection.lastReadMs > SILENT_MS) link.connection.close("silent for three minutes");
      else if (nowMs - link.connection.lastWriteMs > KEEP_ALIVE_MS) link.connection.sendKeepAlive();
    }
  }

  #rechoke(): void {
    this.#nextChokeMs = this.state.clock.nowMs() + CHOKE_EVERY_MS;
    const candidates = [...this.state.links].map((link) => ({
      peer: link,
      interested: link.peerInterested,
      ours: link.ours,
      givesBytesPerSecond: link.depth.bytesPerSecond,
    }));
    const chosen = chooseUnchoked(candidates, this.state.random);
    for (const link of this.state.links) {
      const choking = !chosen.has(link);
      const begins = choking && !link.amChoking;
      // the choke goes ahead: refusals of an unchoking peer would look like lies
      link.setChoking(choking);
      if (begins) this.uploader.onChoke(link);
    }
  }

  #tellPeers(nowMs: number): void {
    this.#nextPexMs = nowMs + PEX_EVERY_MS;
    const current = new Map<string, PexAddress>();
    for (const link of this.state.links) {
      const address = { host: link.connection.host, port: link.listenPort };
      if (address.port > 0) current.set(`${address.host} ${address.port}`, address);
    }
    for (const link of this.state.links) {
      if (link.extensions.pex === 0) continue;
      const known = this.#pexKnown.get(link) ?? new Map<string, PexAddress>();
      const added = [...current].filter(([key]) => !known.has(key)).map(([, address]) => address);
      const dropped = [...known].filter(([key]) => !current.has(key)).map(([, address]) => address);
      const payload = encodePex({ added, dropped });
      if (payload !== undefined) link.connection.send(encodeExtended(link.extensions.pex, payload));
      this.#pexKnown.set(link, current);
    }
  }

  /** Ends all links; the engine closes the files. */
  close(): void {
    this.#unsigned.flush();
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
