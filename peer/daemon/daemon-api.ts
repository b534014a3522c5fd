/**
 * Shapes of the host daemon's API: HTTP over a Unix socket, spoken by dfget (and by whoever else lives on the host).
 * Only shapes; requests are parsed in parse-download-request.ts, answers in ../dfget/event-stream.ts.
 *
 * `POST /v1/downloads` answers newline-delimited JSON: any number of start, progress and warning events, then exactly
 * one `done` or `error`. With `stream` there are `data` events among them: after such a line come `length` bytes of the
 * content, in order. Closing the connection cancels the request.
 */

import type { FileSelection } from "../../torrents/file-selection.ts";
import type { Offence, OriginTls } from "../../torrents/task-api.ts";
import type { TrackerStatus } from "../discovery/tracker-tiers.ts";
import type { BytesFrom, TorrentPeer } from "../engine/types.ts";
import type { TorrentSource } from "./torrent-source.ts";

/** Body of `POST /v1/downloads`, after parsing. Zero and absent: see each field. */
export interface DownloadRequest {
  readonly url: string;
  /** Absolute path of the file to write; absent: the content only goes into the host's store. */
  readonly output?: string;
  /** Absolute path of the folder to write into, by the torrent's name: for torrents, in place of `output`. */
  readonly outputFolder?: string;
  /** Of a torrent of several files: only these; absent: all, or those that the link names. */
  readonly files?: FileSelection;
  /** True: what is at the output already is taken where its pieces are right. For torrents. */
  readonly fillFromOutput?: boolean;
  /** What url stands for where it is a magnet link, or where a .torrent file came along. */
  readonly torrent?: TorrentSource;
  /** A local file whose pieces are taken before anything is fetched. */
  readonly fill?: FillWish;
  /** Send the content in order as it comes; then there is no `output`. */
  readonly stream?: StreamWish;
  /** Permission bits of a new output file (0o666 less the caller's umask). */
  readonly outputMode: number;
  readonly headers: Readonly<Record<string, string>>;
  /** `sha256:HEX` of the whole content. */
  readonly digest?: string;
  /** MD5 of the whole content, 32 hex digits. */
  readonly md5?: string;
  /** Bytes per second of this download; 0 is unlimited. */
  readonly limitBytesPerSecond: number;
  /** True: never read the origin from this host. */
  readonly notbs: boolean;
  /** From whom: everybody, seeders only, the origin only. */
  readonly pattern: Pattern;
  /** 0 (most urgent) to 6. */
  readonly priority: number;
  /** Most milliseconds for the whole request; 0 is no bound. */
  readonly timeoutMs: number;
  /** Supernodes to ask in order; absent: those of the daemon. */
  readonly supernodes?: readonly string[];
  /** For their API; absent: that of the daemon. */
  readonly token?: string;
  /** Whom to trust at the origin besides; the daemon's own requests only. */
  readonly tls?: OriginTls;
  readonly tag?: string;
  readonly filter?: readonly string[];
  /** `FIRST-LAST`, inclusive. */
  readonly range?: string;
  readonly pieceLengthBytes?: number;
}

export type Pattern = "p2p" | "cdn" | "source";

/** A file with content that may be the wanted one. */
export interface FillWish {
  readonly path: string;
  /** True: it is the truth where nobody else's word is known; false: only pieces that can be checked are taken. */
  readonly trusted: boolean;
}

/** Where a stream begins. */
export interface StreamWish {
  /** So many bytes of the content are there already. */
  readonly skipBytes: number;
  /** They were those of this torrent; another one is refused. */
  readonly infoHash?: string;
}

/** How the content is reached: through a swarm, from the answer itself, straight from the origin, or from this host's store. */
export type Route = "swarm" | "inline" | "origin";

export interface StartEvent {
  readonly event: "start";
  readonly name: string;
  /** null: the origin does not tell. */
  readonly lengthBytes: number | null;
  readonly pieceLengthBytes: number | null;
  readonly infoHash: string | null;
  readonly route: Route;
}

export interface ProgressEvent {
  readonly event: "progress";
  readonly bytes: number;
  readonly total: number | null;
  /** Bytes per second of late. */
  readonly rate: number;
  readonly peers: number;
  readonly from: BytesFrom;
}

/** `length` bytes of content follow this line. */
export interface DataEvent {
  readonly event: "data";
  readonly length: number;
}

export interface WarningEvent {
  readonly event: "warning";
  readonly message: string;
}

export interface DoneEvent {
  readonly event: "done";
  readonly status: "ok";
  readonly output: string | null;
  readonly bytes: number;
  readonly seconds: number;
  readonly infoHash: string | null;
  readonly from: BytesFrom;
  /** Why the origin was read from this host, where it was. */
  readonly reason?: string;
}

export interface ErrorEvent {
  readonly event: "error";
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** HTTP status of the origin where that is the cause. */
  readonly status?: number;
}

export type DownloadEvent = StartEvent | ProgressEvent | WarningEvent | DoneEvent | ErrorEvent;

/** Body of `GET /v1/info`. */
export interface DaemonInfo {
  readonly pid: number;
  readonly version: string;
  readonly home: string;
  readonly socket: string;
  readonly peer: string;
  /** Where other hosts are to reach it; no host: at the address that a supernode sees. */
  readonly advertised: { readonly host?: string; readonly port: number };
  readonly peerId: string;
  readonly supernodes: readonly string[];
  /** Whether WebSocket trackers are used, and browsers are peers; `--webrtc`. */
  readonly webrtc: boolean;
  /** URL of the registry mirror; absent: there is none. */
  readonly mirror?: string;
  /** Peers that are left alone, in all torrents. */
  readonly bannedPeers: number;
  readonly activeDownloads: number;
  readonly torrents: number;
  readonly uptimeSeconds: number;
}

/**
 * One row of `GET /v1/tasks`. With `?url=URL` the tasks of that URL show it as it is also to members of a group, who see the others'
 * without what their queries say.
 */
export interface TaskRow {
  readonly infoHash: string;
  readonly name: string;
  readonly url: string;
  readonly lengthBytes: number;
  readonly bytesHave: number;
  readonly complete: boolean;
  /** True while a request waits for it. */
  readonly downloading: boolean;
  readonly uploadedBytes: number;
  readonly peers: number;
  readonly from: BytesFrom | null;
  readonly lastUsedAt: string;
  /** True: never evicted (shared with dfget seed). */
  readonly pinned: boolean;
}

/** A peer that is left alone. */
export interface BannedPeer {
  readonly host: string;
  /** Where it listens; 0: unknown. */
  readonly port: number;
  readonly peerId: string;
  readonly offence: Offence;
  readonly reason: string;
  /** How often it did what. */
  readonly offences: Readonly<Partial<Record<Offence, number>>>;
  /** For so much longer. */
  readonly seconds: number;
}

/** Where a torrent's peers and its content are looked for. */
export interface TorrentPlaces {
  /** In the order in which they are asked (BEP 12), as they may be shown. */
  readonly trackerTiers: readonly (readonly string[])[];
  /** BEP 19. Of a supernode's task: none, since its origin is read. */
  readonly webSeeds: readonly string[];
  /** Told to its own trackers only: it says so itself (BEP 27), or its content needs credentials. */
  readonly private: boolean;
  /** Whether the DHT is asked, and told; `--dht`. */
  readonly dht: boolean;
  /** Whether the local network is asked, and told; `--lsd`. */
  readonly lsd: boolean;
  /** Nodes of the DHT that the torrent names, `host:port`. */
  readonly dhtNodes: readonly string[];
}

/** `GET /v1/tasks/HASH`; `?url=` as for `GET /v1/tasks`. */
export interface TaskDetail extends TaskRow, TorrentPlaces {
  readonly infoHashV1: string | null;
  readonly infoHashV2: string | null;
  readonly pieceLengthBytes: number;
  readonly pieceCount: number;
  readonly piecesHave: number;
  readonly trackers: readonly string[];
  /** How each tracker fares; empty where the torrent is not open. */
  readonly trackerStates: readonly TrackerStatus[];
  /** Folder of the task in the store. */
  readonly directory: string;
  /** The output that shares its file with the store; null: none. */
  readonly linked: boolean;
  /** Since the torrent was opened. */
  readonly bannedPeers: number;
  /** Peers that are left alone for what they did in this torrent. */
  readonly banned: readonly BannedPeer[];
  readonly connected: readonly TorrentPeer[];
}

/** Body and answer of `PUT /v1/limits`; answer of `GET`. Bytes per second, 0 is unlimited; absent: as it is. */
export interface HostLimits {
  readonly upload?: number;
  readonly download?: number;
  readonly backToSource?: number;
  /** Of all downloads of one priority together, by priority (`0` to `6`); the answer has those that are limited. */
  readonly priorities?: Readonly<Record<string, number>>;
}

/** Body of `POST /v1/torrents`: a .torrent or a magnet link, whose files are asked for. */
export interface TorrentWish {
  readonly torrent: TorrentSource;
}

/** Its answer: what is in the torrent, and where a download of it would look. */
export interface TorrentListing extends TorrentPlaces {
  readonly name: string;
  readonly infoHashes: readonly string[];
  readonly lengthBytes: number;
  readonly pieceLengthBytes: number;
  /** Peers that the link names, `host:port`. */
  readonly peers: readonly string[];
  readonly files: readonly { readonly path: string; readonly lengthBytes: number }[];
}

/** Body of `POST /v1/seeds`. */
export interface SeedRequest {
  /** Absolute path of a file or folder. */
  readonly path: string;
  /** Of the torrent; absent: the path's last part. */
  readonly name?: string;
  /** Absent: by the length. */
  readonly pieceLengthBytes?: number;
  /** BEP 27: peers are found through the torrent's trackers only. */
  readonly private?: boolean;
  /** One torrent of both versions, in place of two. */
  readonly hybrid?: boolean;
  /** Absent: the supernodes. */
  readonly trackers?: readonly string[];
  readonly webSeeds?: readonly string[];
}

export interface SeedResult {
  readonly infoHash: string;
  readonly infoHashV1: string;
  readonly infoHashV2: string;
  readonly name: string;
  readonly lengthBytes: number;
  readonly magnet: string;
  /** Absent: the first one is of both versions. */
  readonly magnetV2: string | undefined;
  /** .torrent files, base64. */
  readonly torrent: string;
  /** Absent: the first one is of both versions. */
  readonly torrentV2: string | undefined;
}

/** Body of `POST /v1/listings`; the answer is an OriginListing. */
export interface ListRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A request body above this is refused. */
export const MAX_BODY_BYTES = 48 * 1024 * 1024;
/** Most bytes behind one `data` event. */
export const MAX_DATA_BYTES = 1024 * 1024;
/** Progress events of one request are at least this far apart. */
export const PROGRESS_INTERVAL_MS = 200;
