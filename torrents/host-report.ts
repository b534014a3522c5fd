/**
 * Shapes of what hosts tell their supernode of their own work, so that its stats page shows the hosts' own numbers.
 * Daemons send a HostReport to `POST /api/v1/host-reports`, seeders a StatusReport over their link. Only shapes; parse-host-report.ts checks.
 */
import type { InfoHash, PeerId } from "./ids.ts";
import type { HostLabels } from "./task-api.ts";

/** One torrent at one host. Byte counters begin with 0 each time that the torrent is opened. */
export interface TaskStatus {
  readonly infoHash: InfoHash;
  readonly bytesHave: number;
  readonly piecesHave: number;
  /** Verified bytes by where they came from. */
  readonly from: { readonly origin: number; readonly seeder: number; readonly peers: number };
  readonly uploadedBytes: number;
  readonly downloadBytesPerSecond: number;
  readonly uploadBytesPerSecond: number;
  readonly connections: number;
  /** Which pieces it has, as in BEP 3's bitfield, base64; absent: all, none, or more than MOST_MAPPED_PIECES. */
  readonly pieces?: string;
}

/** Body of `POST /api/v1/host-reports`. */
export interface HostReport {
  readonly peer: { readonly id: PeerId; readonly port: number } & HostLabels;
  /** The machine's name. */
  readonly name: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  /** Not everything was told to this supernode yet. */
  readonly whole: boolean;
  /** What changed since the last report that was taken in, or what was not told yet. */
  readonly tasks: readonly TaskStatus[];
}

/** The answer. */
export interface HostReportAnswer {
  /** When to report next; the more hosts there are, the later. */
  readonly nextSeconds: number;
  /** The supernode does not know this host, and took nothing in: the next report tells of every task. */
  readonly whole: boolean;
}

/** What a seeder tells of itself. */
export interface StatusReport {
  readonly whole: boolean;
  readonly tasks: readonly TaskStatus[];
  readonly uptimeSeconds: number;
  readonly disk: {
    readonly quotaBytes: number;
    readonly usedBytes: number;
    /** Free on its file system. */
    readonly availableBytes: number;
    readonly tasks: number;
  };
}

/** More tasks in one report are refused. */
export const MOST_REPORTED_TASKS = 200;
/** Torrents with more pieces are told of without a map. */
export const MOST_MAPPED_PIECES = 16_384;
