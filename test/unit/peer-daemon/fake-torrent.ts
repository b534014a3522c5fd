/** A torrent without network and disk, as far as the daemon's drivers look at one. */
import { EventEmitter } from "node:events";
import type { Torrent, TorrentEvents, TorrentStats } from "../../../peer/engine/types.ts";
import type { InfoHash } from "../../../torrents/ids.ts";

export class FakeTorrent extends EventEmitter<TorrentEvents> {
  readonly infoHash = "ab".repeat(20) as InfoHash;
  infoHashes: { live?: InfoHash; v1?: InfoHash; v2?: InfoHash } = { live: this.infoHash };
  readonly geometry = { lengthBytes: 100, pieceLengthBytes: 50, pieceCount: 2 };
  complete = false;
  downloading = false;
  limitBytesPerSecond = 0;
  priority = -1;
  seedersOnly = false;
  readonly peers: { host: string; port: number }[] = [];
  stats: TorrentStats = {
    from: { origin: 0, seeder: 0, peers: 0, cache: 0 },
    piecesHave: 0,
    pieceCount: 2,
    bytesHave: 0,
    uploadedBytes: 0,
    downloadBytesPerSecond: 0,
    uploadBytesPerSecond: 0,
    connections: 0,
    seeds: 0,
    bannedPeers: 0,
  };

  download(on: boolean): void {
    this.downloading = on;
  }

  setDownloadLimit(bytesPerSecond: number): void {
    this.limitBytesPerSecond = bytesPerSecond;
  }

  setSeedersOnly(on: boolean): void {
    this.seedersOnly = on;
  }

  setPriority(priority: number): void {
    this.priority = priority;
  }

  addPeers(peers: readonly { host: string; port: number }[]): void {
    this.peers.push(...peers);
  }

  /** Everything came from peers. */
  finish(): void {
    this.stats = { ...this.stats, from: { ...this.stats.from, peers: 100 - this.stats.bytesHave }, bytesHave: 100, piecesHave: 2 };
    this.complete = true;
    this.emit("complete");
  }

  /** The fake where the real one is asked for: what is missing is never called. */
  get asTorrent(): Torrent {
    return this as unknown as Torrent;
  }
}
