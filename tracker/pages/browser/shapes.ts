/**
 * What the stats page's views consist of, for the supernode that makes them and the browser that shows them. Only shapes.
 */

/** Bytes that hosts received, by where they came from; what seeders read from origins (`fetched`); what was sent. */
export interface Bytes {
  readonly origin: number;
  readonly seeder: number;
  readonly peers: number;
  readonly fetched: number;
  readonly uploaded: number;
  readonly seeded: number;
}

/** Bytes per second at a moment (milliseconds since 1970). */
export interface Rates {
  readonly atMs: number;
  readonly origin: number;
  readonly seeder: number;
  readonly peers: number;
  readonly fetched: number;
}

export type State = "live" | "final" | "failed";

export interface Row {
  /** Tells rows of one view apart. */
  readonly key: string;
}

/** What a page shows: fields, and the rows of its table in their order. */
export interface View<F = object, R extends Row = Row> {
  readonly fields: F;
  readonly rows: readonly R[];
  /** What is told only once, at the beginning of a stream. */
  readonly once?: Readonly<Record<string, unknown>>;
}

/** What changed of a view since the one before. */
export interface Delta<R extends Row = Row> {
  /** Fields with new values. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Rows that are new or have changed. */
  readonly rows?: readonly R[];
  /** Keys of all rows in their order, where it changed. */
  readonly order?: readonly string[];
}

export interface OverviewFields {
  readonly sinceMs: number;
  readonly tasks: Readonly<Record<State, number>> & { readonly hidden: number };
  readonly seeds: number;
  readonly leeches: number;
  readonly hosts: number;
  readonly seeders: number;
  readonly bans: number;
  readonly bytes: Bytes;
  readonly savedBytes: number;
  /** 0 to 1; null: nothing was received. */
  readonly peerShare: number | null;
  readonly now: Rates;
  /** Tasks that match the search. */
  readonly total: number;
}

export interface TaskRow extends Row {
  readonly name: string;
  readonly url: string;
  readonly state: State;
  readonly private: boolean;
  readonly lengthBytes: number;
  /** Share that a seeder holds, 0 to 1. */
  readonly progress: number;
  readonly seeds: number;
  readonly leeches: number;
  /** Bytes per second that hosts receive. */
  readonly rate: number;
  readonly lastUsedMs: number;
}

export interface TaskFields {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly state: State;
  readonly private: boolean;
  readonly error: string | null;
  readonly lengthBytes: number;
  readonly pieceLengthBytes: number;
  readonly pieceCount: number;
  /** Pieces that a seeder holds. */
  readonly piecesReady: number;
  /** Null: a private task's. */
  readonly infoHash: string | null;
  readonly infoHashV1: string | null;
  readonly infoHashV2: string | null;
  readonly createdMs: number;
  readonly seeds: number;
  readonly leeches: number;
  readonly browsers: number;
  readonly rate: number;
  readonly bytes: Bytes;
  readonly savedBytes: number;
  readonly peerShare: number | null;
  /** One character for each stretch of pieces: copies of its rarest piece, base 36, `z` for 35 and more. */
  readonly map: string;
  /** Peers in all. */
  readonly total: number;
}

export interface PeerRow extends Row {
  readonly role: "seeder" | "host" | "client";
  /** Host name where the peer told one, else its address. */
  readonly name: string;
  readonly address: string;
  /** Software, by its peer id. */
  readonly client: string;
  readonly idc: string;
  readonly location: string;
  /** 0 to 1; null: it did not say. */
  readonly progress: number | null;
  readonly paused: boolean;
  readonly banned: boolean;
  /** From here on null where the peer does not report to the supernode. */
  readonly downRate: number | null;
  readonly upRate: number | null;
  readonly from: { readonly origin: number; readonly seeder: number; readonly peers: number } | null;
  readonly uploadedBytes: number | null;
}

export interface HostRow extends Row {
  readonly name: string;
  readonly address: string;
  readonly idc: string;
  readonly location: string;
  readonly version: string;
  readonly startedMs: number;
  readonly tasks: number;
  readonly active: number;
  readonly downRate: number;
  readonly upRate: number;
  readonly from: { readonly origin: number; readonly seeder: number; readonly peers: number };
  readonly uploadedBytes: number;
}

export interface SeederRow extends Row {
  readonly name: string;
  readonly address: string;
  readonly version: string;
  readonly startedMs: number | null;
  readonly tasks: number;
  readonly usedBytes: number;
  readonly quotaBytes: number;
  readonly availableBytes: number;
  readonly fetchRate: number;
  readonly upRate: number;
}

export interface BanRow extends Row {
  readonly address: string;
  readonly reason: string;
  readonly voices: number;
  /** Milliseconds since 1970; null: it is not banned, only reported. */
  readonly untilMs: number | null;
  /** Share of what it takes to ban, 0 to 1. */
  readonly share: number;
}

/** Fields of lists that have no others. */
export interface ListFields {
  readonly total: number;
}
