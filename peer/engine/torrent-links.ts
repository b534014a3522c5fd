/**
 * The links of one torrent: who comes and goes, and what each message of a peer means for the torrent's parts. Drives.
 *
 * Every event of a link passes here, and is handed to whom it concerns: Downloader, Uploader, PieceSpread, ChokingRounds, the exchanges.
 * Invariant: of a link in `state.links`, `interesting` is the number of pieces that it has and we lack.
 */
import { SkimmerError } from "../../system/errors.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { AddressBook } from "./address-book.ts";
import { ChokingRounds } from "./choking-rounds.ts";
import type { Downloader } from "./downloader.ts";
import { HashExchange } from "./hash-exchange.ts";
import type { LiveExchange } from "./live-exchange.ts";
import { MetadataDesk } from "./metadata-exchange.ts";
import { addressKey } from "./peer-conduct.ts";
import type { PeerJudge } from "./peer-judge.ts";
import type { LinkEvents, PeerLink } from "./peer-link.ts";
import { PexRounds } from "./pex-rounds.ts";
import type { PieceSpread } from "./piece-spread.ts";
import { isHere, type SwarmState } from "./swarm-state.ts";
import type { TorrentIdentity } from "./torrent-identity.ts";
import type { Uploader } from "./uploader.ts";
import { OUR_EXTENSION } from "./wire/extended-handshake.ts";
import { type BlockRange, encodeExtended } from "./wire/messages.ts";

const KEEP_ALIVE_MS = 90_000;
const SILENT_MS = 180_000;

/** The parts of the torrent that links have to do with. */
export interface LinkParts {
  readonly state: SwarmState;
  readonly identity: TorrentIdentity;
  readonly role: "peer" | "seeder";
  /** New pieces are shown to few peers at a time. */
  readonly hides: boolean;
  readonly downloader: Downloader;
  readonly uploader: Uploader;
  readonly judge: PeerJudge;
  readonly spread: PieceSpread;
  readonly live: LiveExchange | undefined;
  readonly addresses: AddressBook;
  /** There may be somebody to dial. */
  wake(): void;
}

export class TorrentLinks implements LinkEvents {
  readonly #parts: LinkParts;
  readonly #choking: ChokingRounds;
  readonly #hashes: HashExchange;
  readonly #pex = new PexRounds();
  readonly #metadata = new MetadataDesk<PeerLink>();

  constructor(parts: LinkParts) {
    const { state, identity, uploader, hides } = parts;
    this.#parts = parts;
    this.#choking = new ChokingRounds({ state, uploader, hides });
    this.#hashes = new HashExchange(state.truth, (link) => link.infoHash === identity.infoHashes.v2);
  }

  /** A peer shook hands: tell it what we have. The extended handshake is the engine's. */
  add(link: PeerLink): void {
    this.#parts.state.links.add(link);
    this.#parts.spread.greet(link);
  }

  /** All is said with which a connection begins: the peer may ask at once, if there is a place for it. */
  onGreeted(link: PeerLink): void {
    this.#choking.onJoined(link);
  }

  remove(link: PeerLink): void {
    const { state, downloader, spread } = this.#parts;
    if (!state.links.delete(link)) return;
    downloader.dropRequests(link);
    downloader.picker.removeHolders(link.bitfield);
    link.wanted = [];
    spread.onGone(link);
    this.#hashes.onGone(link);
    this.#choking.onGone(link);
    downloader.fillAll();
  }

  /** When anything was last asked for, or sent, between us and the peer. */
  usedMs(link: PeerLink): number {
    return Math.max(link.lastBlockMs, this.#choking.usedMs(link));
  }

  /** The torrent began to download: whoever has something for us hears of it. */
  onDownload(): void {
    for (const link of this.#parts.state.links) this.#updateInterest(link);
  }

  /** A piece is ours: those that have it have one less for us. */
  onStored(index: number): void {
    for (const link of this.#parts.state.links) if (link.bitfield.has(index)) this.#countInteresting(link, -1);
  }

  /** What we had ourselves was wrong: whoever announced the piece has something for us after all. */
  onDropped(index: number): void {
    for (const link of this.#parts.state.links) if (link.bitfield.has(index)) this.#countInteresting(link, 1);
  }

  onBitfield(link: PeerLink): void {
    const { state, downloader, spread } = this.#parts;
    downloader.picker.addHolders(link.bitfield);
    link.interesting = 0;
    for (let index = 0; index < link.bitfield.length; index++) if (link.bitfield.has(index) && !isHere(state, index)) link.interesting++;
    this.#updateInterest(link);
    spread.onBitfield(link);
  }

  onHave(link: PeerLink, index: number): void {
    const { state, downloader, spread } = this.#parts;
    downloader.picker.addHolder(index);
    if (!isHere(state, index)) {
      this.#countInteresting(link, 1);
      downloader.fill(link);
    }
    spread.onHave(link, index);
  }

  onDontHave(link: PeerLink, index: number): void {
    const { state, downloader, spread } = this.#parts;
    downloader.picker.removeHolder(index);
    spread.onDontHave(link, index);
    if (!isHere(state, index)) this.#countInteresting(link, -1);
  }

  #countInteresting(link: PeerLink, change: 1 | -1): void {
    link.interesting += change;
    this.#updateInterest(link);
  }

  #updateInterest(link: PeerLink): void {
    link.setInterested(this.#parts.downloader.on && link.interesting > 0);
  }

  onChoked(link: PeerLink): void {
    if (!link.fast) this.#parts.downloader.dropRequests(link);
  }

  onUnchoked(link: PeerLink): void {
    this.#parts.downloader.fill(link);
  }

  onAllowedFast(link: PeerLink): void {
    this.#parts.downloader.fill(link);
  }

  onInterest(link: PeerLink): void {
    this.#choking.onInterest(link);
  }

  onRequest(link: PeerLink, range: BlockRange): void {
    this.#choking.onRequest(link);
    this.#parts.uploader.onRequest(link, range);
  }

  onCancel(link: PeerLink, range: BlockRange): void {
    this.#parts.uploader.onCancel(link, range);
  }

  onReject(link: PeerLink, range: BlockRange): void {
    this.#parts.downloader.onReject(link, range);
  }

  onBlockBegin(link: PeerLink, range: BlockRange): Buffer | undefined {
    return this.#parts.downloader.onBlockBegin(link, range);
  }

  onBlockEnd(link: PeerLink, range: BlockRange): void {
    this.#parts.downloader.onBlockEnd(link, range);
  }

  onHashMessage(link: PeerLink, id: number, payload: Buffer): void {
    this.#hashes.onMessage(link, { id, payload }, this.#parts.state.clock.nowMs());
  }

  onExtendedHandshake(link: PeerLink): void {
    const { conduct, clock } = this.#parts.state;
    const address = { host: link.connection.host, port: link.listenPort };
    if (conduct.isBanned(addressKey(address), clock.nowMs())) return link.connection.close("banned");
    if (link.extensions.live > 0) this.#parts.live?.onPeer(link);
  }

  onExtended(link: PeerLink, extensionId: number, payload: Buffer): void {
    if (extensionId === OUR_EXTENSION.live) this.#onLive(link, payload);
    else if (extensionId === OUR_EXTENSION.pex) this.#onPex(link, payload);
    else if (extensionId === OUR_EXTENSION.metadata) {
      const { identity, state } = this.#parts;
      const message = { payload, info: identity.infoFor(link.infoHash) };
      const answer = this.#metadata.answer(link, message, state.clock.nowMs());
      if (answer !== undefined && link.extensions.metadata > 0) link.connection.send(encodeExtended(link.extensions.metadata, answer));
    }
  }

  #onLive(link: PeerLink, payload: Buffer): void {
    try {
      this.#parts.live?.onMessage(link, payload);
    } catch (error) {
      if (error instanceof SkimmerError) this.#parts.judge.note(link, "bad_record", error.message);
      throw error;
    }
  }

  #onPex(link: PeerLink, payload: Buffer): void {
    const { state, identity, role, downloader, addresses, wake } = this.#parts;
    const peers = this.#pex.hear(link, payload, state.clock.nowMs());
    if (role !== "peer" || downloader.seedersOnly || !this.#mayExchange(link)) return;
    // who tells of them knows not which hashes they answer to
    const { v1, v2 } = identity.infoHashes;
    const hashes = new Set([link.infoHash, v1, v2].filter((infoHash): infoHash is InfoHash => infoHash !== undefined));
    for (const infoHash of hashes) for (const { host, port } of peers) addresses.add({ host, port, infoHash });
    wake();
  }

  /** Peers of a private torrent come from its tracker alone (BEP 27); those that know our live hash know us anyway. */
  #mayExchange(link: PeerLink): boolean {
    const { identity, live } = this.#parts;
    return !identity.isPrivate || (live !== undefined && link.infoHash === identity.infoHash);
  }

  #exchanging(): ReadonlySet<PeerLink> {
    const { links } = this.#parts.state;
    return this.#parts.identity.isPrivate ? new Set([...links].filter((link) => this.#mayExchange(link))) : links;
  }

  /** Called a few times a second while there are links. */
  tick(nowMs: number): void {
    const { links } = this.#parts.state;
    this.#choking.tick(nowMs);
    this.#pex.tick(this.#exchanging(), nowMs);
    this.#hashes.tick(links, nowMs);
    for (const link of links) {
      if (nowMs - link.connection.lastReadMs > SILENT_MS) link.connection.close("silent for three minutes");
      else if (nowMs - link.connection.lastWriteMs > KEEP_ALIVE_MS) link.connection.sendKeepAlive();
    }
  }
}
