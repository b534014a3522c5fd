/**
 * The engine's face towards the host daemon and the seeder: what they may ask of it, and nothing more.
 * The engine is made by openEngine() in engine.ts; everything here is implemented there.
 */
import type { KeyObject } from "node:crypto";
import type { EventEmitter } from "node:events";
import type { Geometry } from "../../torrents/geometry.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import type { PieceHashes } from "../../torrents/make-torrent.ts";
import type { TorrentLayout } from "../../torrents/torrent-layout.ts";
import type { Transport } from "./connection.ts";
import type { DownloadShare } from "./download-shares.ts";
import type { FilesInPlace, HashWishes } from "./hash-files.ts";
import type { MetPeer, ReachablePeer } from "./met-peer.ts";
import type { EncryptionPolicy } from "./mse/encryption-policy.ts";
import type { BannedPeer } from "./peer-conduct.ts";

/** Where verified bytes came from. `cache` is what the store held before this run began. */
export type ByteSource = "origin" | "seeder" | "peers" | "cache";
export type BytesFrom = Readonly<Record<ByteSource, number>>;

export interface EngineOptions {
  /** Address of the peer port; port 0 takes any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** `seeder` reveals new pieces to few peers and never dials out; `peer` does all that a peer does. */
  readonly role: "peer" | "seeder";
  readonly peerId: PeerId;
  /** Bytes per second over all torrents; 0 is unlimited. Changeable later by setLimits(). */
  readonly uploadBytesPerSecond: number;
  readonly downloadBytesPerSecond: number;
  /** Most memory for piece buffers (downloads in progress, hashing, upload cache). Default 64 MiB. */
  readonly bufferBytes?: number;
  /** Port that other hosts reach the peer port at, where it is another one (published ports of containers). */
  readonly advertisedPort?: number;
  /** Message stream encryption; default `allow`: taken where a peer insists on it. */
  readonly encryption?: EncryptionPolicy;
}

/** Bytes per second, 0 is unlimited; absent: as it is. */
export interface EngineLimits {
  readonly uploadBytesPerSecond?: number;
  readonly downloadBytesPerSecond?: number;
  /** Downloads of one priority together, by priority. */
  readonly classBytesPerSecond?: ReadonlyMap<number, number>;
}

/** What a torrent is known by when it is added. At least one info dict, or a live key, must be there. */
export interface TorrentSpec {
  /** Folder of the torrent's files (data, journal); made when absent. Resumes what it holds. */
  readonly directory: string;
  readonly name: string;
  readonly geometry: Geometry;
  /** How its files lie in the pieces, and then its geometry is the torrent's; absent: one file. */
  readonly layout?: TorrentLayout;
  /** Share the files where they are, and never write them: the folder that holds them, or the one file. */
  readonly inPlace?: string;
  /** The caller has just hashed every piece of what is in place. */
  readonly verified?: true;
  /** Bencoded info dicts. The info hashes follow from them. */
  readonly liveInfo?: Buffer;
  readonly infoV1?: Buffer;
  readonly infoV2?: Buffer;
  /** 32 bytes a piece, the layers of all files in a row; with infoV2. Absent: peers are asked for them. */
  readonly pieceLayer?: Buffer;
  /** Signature of `final`, where the torrent is already final. */
  readonly finalSignature?: Buffer;
  /** Only at a seeder: delivered pieces become truth, are signed with this key, and make the final torrents. */
  readonly signer?: KeyObject;
  /** Only with a signer: goes into the final torrents, so that their info hashes cannot be computed from the content. */
  readonly secret?: Buffer;
  /** Bytes per second of this torrent; 0 or absent is unlimited. */
  readonly downloadBytesPerSecond?: number;
}

export interface TorrentStats {
  readonly from: BytesFrom;
  readonly piecesHave: number;
  readonly pieceCount: number;
  readonly bytesHave: number;
  readonly uploadedBytes: number;
  readonly downloadBytesPerSecond: number;
  readonly uploadBytesPerSecond: number;
  readonly connections: number;
  /** Connected peers that hold every piece. */
  readonly seeds: number;
  /** Since it was opened. */
  readonly bannedPeers: number;
}

/** A connected peer. */
export interface TorrentPeer {
  readonly peerId: PeerId;
  readonly transport: Transport;
  readonly host: string;
  /** Where it listens; 0: unknown. */
  readonly port: number;
  readonly seeder: boolean;
  readonly piecesHave: number;
  /** What it brought of late. */
  readonly downloadBytesPerSecond: number;
  readonly uploadedBytes: number;
}

/** Pieces `first` to `last`, inclusive. */
export interface PieceSpan {
  readonly first: number;
  readonly last: number;
}

/** A contiguous run of missing pieces that the caller has taken over; nobody else fetches them until released. */
export interface Claim {
  readonly first: number;
  readonly count: number;
}

/** A piece buffer of the engine's bounded pool. Fill `bytes`, then deliver or release it, exactly once. */
export interface PieceBuffer {
  readonly index: number;
  readonly bytes: Buffer;
  release(): void;
}

export type Delivery =
  | { readonly kind: "stored" } // verified (or made truth, at a seeder), on disk, announced
  | { readonly kind: "unverified" } // on disk, no record to check against yet: kept to ourselves until one comes
  | { readonly kind: "mismatch" } // the bytes are not those of the torrent; dropped
  | { readonly kind: "duplicate" }; // somebody else brought the piece meanwhile

export interface TorrentEvents {
  /** A piece is stored and may be read. */
  piece: [index: number];
  /** Every piece is stored. */
  complete: [];
  /** The final torrents became known (live torrents only; at once where they were given). */
  final: [];
  /** A disk error that stopped this torrent. */
  failed: [error: Error];
  /** A peer was banned for what it did in this torrent. */
  banned: [peer: BannedPeer];
}

/** One torrent in the engine. */
export interface Torrent extends EventEmitter<TorrentEvents> {
  readonly name: string;
  readonly geometry: Geometry;
  /** The live info hash where there is one, else v2, else v1. Names the torrent. */
  readonly infoHash: InfoHash;
  /** All hashes that it answers to, in the order live, v1, v2. */
  readonly infoHashes: { readonly live?: InfoHash; readonly v1?: InfoHash; readonly v2?: InfoHash };
  readonly infoV1: Buffer | undefined;
  readonly infoV2: Buffer | undefined;
  readonly pieceLayer: Buffer | undefined;
  readonly finalSignature: Buffer | undefined;
  readonly liveInfo: Buffer | undefined;
  /** The file with the content; whole only when `complete`. */
  readonly dataPath: string;
  /** How its files lie in the pieces; undefined: one file. */
  readonly layout: TorrentLayout | undefined;
  /** A path for each file of the layout; whole only when its pieces are here. */
  readonly filePaths: readonly string[];
  readonly complete: boolean;
  readonly stats: TorrentStats;
  /** Peers that are left alone for what they did in this torrent. */
  readonly banned: readonly BannedPeer[];
  readonly peers: readonly TorrentPeer[];
  has(index: number): boolean;
  /** Dial these peers (known and banned ones are skipped). `infoHash`: in whose swarm they are; default: this torrent's own. */
  addPeers(peers: readonly { host: string; port: number; seeder?: boolean }[], infoHash?: InfoHash): void;
  /** Begin, or stop, to ask peers for pieces; serving goes on either way. */
  download(on: boolean): void;
  setDownloadLimit(bytesPerSecond: number): void;
  /** True: nobody but seeders of the cluster is asked for pieces, and other addresses are not believed. */
  setSeedersOnly(on: boolean): void;
  /** 0 (most urgent) to 6: the share where several torrents compete for a limit, and whose class limit counts. */
  setPriority(priority: number): void;
  /** Waits until so many bytes from the origin fit the limits of torrent, class and host; undefined: at once. */
  throttle(bytes: number): Promise<void> | undefined;
  /** Streaming: pieces from this index on are wanted in order, within a window. undefined: rarest first. */
  setCursor(index: number | undefined): void;
  /** Only these pieces are fetched, from whomever (first and last, inclusive); undefined: all. What is under way goes on. */
  setWanted(spans: readonly PieceSpan[] | undefined): void;
  /**
   * Take over missing pieces that nobody is bringing, at most `maxPieces` in a row; undefined: none. In order at a signer, alone, or
   * behind a cursor; else those that fewest peers have, at a random place.
   */
  claimMissing(maxPieces: number): Claim | undefined;
  /** Give back a claimed piece that was not delivered. */
  unclaim(index: number): void;
  /** Wait for a buffer for this piece (bounded pool: this is the backpressure). */
  acquire(index: number, options: { signal: AbortSignal }): Promise<PieceBuffer>;
  /** Hand over a filled buffer; verified, written, counted under `source`. Always releases the buffer and the claim. */
  deliver(buffer: PieceBuffer, source: "origin"): Promise<Delivery>;
  /** Bytes of a stored piece (start and length inside the piece); for streaming and inline answers. */
  read(index: number, range?: { start: number; lengthBytes: number }): Promise<Buffer>;
  /** Fills `target` with bytes of a stored piece from `start` (inside the piece) on: for readers that keep their buffers. */
  readInto(index: number, start: number, target: Buffer): Promise<void>;
}

/** The engine: one peer port, many torrents. `await using` closes it: connections ended, journals flushed. */
export interface Engine extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
  /** Port to tell other hosts. */
  readonly advertisedPort: number;
  readonly peerId: PeerId;
  readonly torrents: ReadonlyMap<InfoHash, Torrent>;
  /** Peers that are left alone, in all torrents. */
  readonly banned: readonly BannedPeer[];
  /** Opens or resumes. Rejects with SkimmerError `disk_full` before anything is written where there is no room. */
  add(spec: TorrentSpec): Promise<Torrent>;
  find(infoHash: InfoHash): Torrent | undefined;
  /** Connects to a peer that was met over WebRTC, for the final torrent that its hash names; where there is none, its stream is ended. */
  take(peer: MetPeer): void;
  /** The info dict behind a v1, v2 or live info hash, from peers (BEP 9). Rejects with `no_progress` where none has it. */
  fetchInfo(infoHash: InfoHash, peers: readonly ReachablePeer[], options: { signal: AbortSignal }): Promise<Buffer>;
  /** Hashes of all pieces of files where they are (`inPlace` as in TorrentSpec): what a new torrent is made of. */
  hashFiles(files: FilesInPlace, options: HashWishes): Promise<PieceHashes>;
  /** Ends its connections and closes its files; they stay on disk. */
  remove(torrent: Torrent): Promise<void>;
  setLimits(limits: EngineLimits): void;
  /** A share of the download limits for content that is no torrent; the caller disposes of it. */
  openShare(options: { bytesPerSecond: number; priority: number }): DownloadShare;
}
