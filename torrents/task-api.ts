/**
 * Shapes of the supernode's task API, shared by the supernode, the daemons and the seeders.
 * Only shapes: parsing of untrusted bodies is in parse-task-request.ts and parse-task-answer.ts.
 */
import type { InfoHash, PeerId, TaskId } from "./ids.ts";

/** Where a host is, as it says itself; absent: by its address. */
export interface HostLabels {
  /** Data centre. */
  readonly idc?: string;
  /** Places from the widest to the narrowest, `a|b|c`. */
  readonly location?: string;
}

/**
 * Whom a caller trusts at his https origin, besides those whom the reader trusts anyway. Part of the identity: nobody else is served
 * by what was read so.
 */
export interface OriginTls {
  /** Authorities in PEM, certificates only. */
  readonly ca?: string;
  /** Certificates are not checked. */
  readonly insecure?: boolean;
}

/** Body of `POST /api/v1/tasks`. */
export interface TaskRequest {
  /** http(s) URL of the content at its origin. */
  readonly url: string;
  /** Headers of the caller, sent to the origin as they are (Authorization, Cookie, User-Agent …). */
  readonly headers: Readonly<Record<string, string>>;
  /** Expected digest of the whole content, `sha256:HEX`. Part of the identity. */
  readonly digest?: string;
  /** Free label that separates otherwise equal tasks. */
  readonly tag?: string;
  /** Names of query parameters that do not count for the identity. */
  readonly filter?: readonly string[];
  /** Byte range `FIRST-LAST` (inclusive) of the URL that is wanted as if it were the file. */
  readonly range?: string;
  readonly tls?: OriginTls;
  /** Wanted piece length in bytes (power of two, 64 KiB – 16 MiB); absent: chosen from the length. */
  readonly pieceLengthBytes?: number;
  /** Never in a body: the supernode says so of callers on its own machine, for whom the loopback may be read. */
  readonly loopback?: boolean;
  /** The caller's own peer, added to the swarm at once; absent: the caller only asks. */
  readonly peer?: {
    readonly id: PeerId;
    readonly port: number;
    /** IP address at which other hosts dial it; absent: the one that the supernode sees. */
    readonly host?: string;
  } & HostLabels;
}

/** A peer to start with. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
  /** True for a seeder of the cluster: what comes from it counts as `seeder`, not as `peers`. */
  readonly seeder: boolean;
}

/** live: pieces still come from the origin. final: .torrents published. failed: the seeder gave up. */
export type TaskState = "live" | "final" | "failed";

/** What validators the origin gave when the task began. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

/** Final torrents: bencoded info dicts (base64 in JSON), and the v2 piece layer (32 bytes a piece; empty for one piece). */
export interface FinalTorrents {
  readonly infoV1: string;
  readonly infoV2: string;
  readonly pieceLayer: string;
  /** Cluster signature over both info dicts, as in the live protocol's `final` message. */
  readonly signature: string;
}

/** Answer 200 of `POST /api/v1/tasks`. */
export interface TaskAnswer {
  readonly id: TaskId;
  readonly state: TaskState;
  readonly name: string;
  readonly lengthBytes: number;
  readonly pieceLengthBytes: number;
  /** Live info hash; the identity of the swarm between our own peers. */
  readonly infoHash: InfoHash;
  /** Bencoded live info dict, base64. */
  readonly liveInfo: string;
  readonly infoHashV1?: InfoHash;
  readonly infoHashV2?: InfoHash;
  /** Present when `state` is final. */
  readonly final?: FinalTorrents;
  /** Whole content, base64, where it is at most INLINE_BYTES and already known. */
  readonly inline?: string;
  readonly peers: readonly PeerAddress[];
  /** Announce URLs, http first. */
  readonly trackers: readonly string[];
  readonly validators: Validators;
  /** True where no seeder could ask the origin just now and the task is known to be public: the caller checks the validators itself. */
  readonly unvalidated: boolean;
}

/** Content up to this length travels inside the answer. */
export const INLINE_BYTES = 128 * 1024;

/** Error body of every API: `{error:{code,message,hint}}`, with the origin's status where it is the cause. */
export interface ApiErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string; readonly status?: number };
}

/** One row of `GET /api/v1/tasks` and the body of `GET /api/v1/tasks/:id`. */
export interface TaskSummary {
  readonly id: TaskId;
  readonly url: string;
  readonly name: string;
  readonly state: TaskState;
  readonly lengthBytes: number;
  readonly pieceLengthBytes: number;
  readonly pieceCount: number;
  /** Pieces that the seeder holds. */
  readonly piecesReady: number;
  readonly infoHash: InfoHash;
  readonly infoHashV1?: InfoHash;
  readonly infoHashV2?: InfoHash;
  readonly seeds: number;
  readonly leeches: number;
  readonly createdAt: string;
  readonly lastUsedAt: string;
  readonly error?: ApiErrorBody["error"];
}

/** Body of `GET /api/v1/cache`: what the seeders store. */
export interface CacheListing {
  readonly seeders: readonly {
    readonly id: PeerId;
    readonly host: string;
    readonly port: number;
    readonly quotaBytes: number;
    readonly usedBytes: number;
    /** Free on its file system. */
    readonly availableBytes: number;
    readonly tasks: number;
  }[];
  /** Public tasks, the most recently used first. */
  readonly tasks: readonly {
    readonly id: TaskId;
    readonly url: string;
    readonly name: string;
    readonly state: TaskState;
    readonly lengthBytes: number;
    /** On disk, over all seeders. */
    readonly bytes: number;
    readonly seeders: number;
    readonly pinned: boolean;
    /** It is fetched, or a peer that lacks pieces is connected. */
    readonly active: boolean;
    readonly lastUsedAt: string;
  }[];
  readonly private: { readonly tasks: number; readonly bytes: number };
}

/** Bounds on one seeder's traffic. Rates in bytes per second, 0 is unlimited. */
export interface SeederLimits {
  /** From all origins. */
  readonly originBytesPerSecond: number;
  /** From each origin host. */
  readonly originHostBytesPerSecond: number;
  /** Connections at once to each origin host; at least 1. */
  readonly originConnectionsPerHost: number;
  /** To all peers. */
  readonly uploadBytesPerSecond: number;
}

/** Body of `GET` and `PUT /api/v1/limits`: what is in force at every seeder (null where they differ), and at each. */
export type LimitsAnswer = { readonly [Name in keyof SeederLimits]: number | null } & {
  readonly seeders: readonly (SeederLimits & { readonly id: PeerId; readonly host: string; readonly port: number })[];
};

/** What a peer can do wrong, as those tell that it did it to. */
export type Offence =
  | "bad_block" // it alone brought a piece with a wrong hash, or a block that turned out different
  | "suspect_piece" // it took part in a piece with a wrong hash
  | "bad_record" // a record, or final torrents, with a bad signature or against the truth
  | "protocol" // other messages that break the protocol
  | "refused" // it announces a piece and refuses to send it
  | "stalled"; // it owes blocks and sends nothing, while others do

/** What one host saw of one peer, up to the moment at which it began to leave it alone. */
export interface PeerReport {
  readonly infoHash: InfoHash;
  readonly peer: { readonly id: PeerId; readonly host: string; readonly port: number };
  /** The offence that led to the ban, and in words. */
  readonly offence: Offence;
  readonly reason: string;
  /** How often it did what. */
  readonly offences: Readonly<Partial<Record<Offence, number>>>;
  /** For how long the reporter leaves it alone. */
  readonly banSeconds: number;
}

/** Body of `POST /api/v1/reports`; the answer is 204. A reporter is one voice: only what several tell is believed. */
export interface PeerReports {
  readonly reporter: {
    readonly id: PeerId;
    readonly port: number;
    /** Where it advertises an address: the path of an announce URL that this supernode told it, which says so. */
    readonly claim?: string;
  };
  readonly reports: readonly PeerReport[];
  /** From whom it got good pieces of late; absent: nobody. At most MOST_REPORTS. */
  readonly good?: readonly GoodPeer[];
}

/** A peer that brings good pieces. */
export interface GoodPeer {
  readonly infoHash: InfoHash;
  readonly host: string;
  readonly port: number;
}

/** More reports in one body are refused. */
export const MOST_REPORTS = 50;

/** Answer of `POST /api/v1/connect-back` with `{port, host?}`: whether the supernode could connect to the caller. */
export interface ConnectBackAnswer {
  /** The address that was given, or the caller's as the supernode sees it: what it hands out to peers. */
  readonly host: string;
  readonly port: number;
  readonly reachable: boolean;
  /** Why not. */
  readonly failure?: string;
}
