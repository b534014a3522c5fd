/**
 * Shapes of the link between a seeder and its supernode: one WebSocket, opened by the seeder
 * at `/api/v1/seeders/link`, JSON text messages (at most LINK_MESSAGE_BYTES), both directions.
 *
 * Order: supernode sends `challenge`; seeder answers `hello` with its cluster key and a signature over the
 * nonce; supernode answers `welcome` or closes with 4401 and a reason. Then requests (those with an id) go
 * from supernode to seeder, each answered by `reply` with the same id; the seeder sends `task` whenever a
 * task's state changes (and once for each task that it holds, right after `welcome`), and `gone` when it holds one no more.
 * `browsers` asks a seeder that said `webrtc` to join a task's browsers; the answer comes when it has.
 * Every few seconds a seeder sends a `status`: how far its tasks are, and its disk.
 */
import type { StatusReport } from "./host-report.ts";
import type { InfoHash, TaskId } from "./ids.ts";
import type { ApiErrorBody, FinalTorrents, SeederLimits, TaskRequest, TaskState, Validators } from "./task-api.ts";

export const LINK_PATH = "/api/v1/seeders/link";
export const LINK_MESSAGE_BYTES = 64 * 1024 * 1024;
/** Bytes that the seeder signs in `hello`: this text, then the nonce's bytes. */
export const LINK_SIGNATURE_CONTEXT = "skimmer seeder link 1\n";

/** Everything that the supernode has to know of a task in order to hand it out. */
export interface SeederTask {
  readonly id: TaskId;
  readonly url: string;
  readonly name: string;
  readonly state: TaskState;
  readonly lengthBytes: number;
  readonly pieceLengthBytes: number;
  readonly piecesReady: number;
  readonly infoHash: InfoHash;
  readonly liveInfo: string;
  readonly validators: Validators;
  /** True where the origin was asked with credentials: never listed or handed out without a probe. */
  readonly private: boolean;
  readonly final?: FinalTorrents;
  readonly infoHashV1?: InfoHash;
  readonly infoHashV2?: InfoHash;
  readonly inline?: string;
  /** Its origin, where standard clients may complete from it (origin-web-seed.ts). */
  readonly webSeed?: string;
  readonly error?: ApiErrorBody["error"];
}

/** What a seeder stores. */
export interface CacheReport {
  readonly quotaBytes: number;
  readonly usedBytes: number;
  /** Free on its file system. */
  readonly availableBytes: number;
  readonly tasks: readonly {
    readonly id: TaskId;
    readonly bytes: number;
    readonly pinned: boolean;
    /** It is fetched, or a peer that lacks pieces is connected. */
    readonly active: boolean;
    /** Milliseconds since 1970. */
    readonly lastUsedMs: number;
  }[];
}

/** What a collection did: tasks and bytes that went, what was left over of tasks before, and the bytes that are left. */
export interface GcResult {
  readonly removed: number;
  readonly freedBytes: number;
  readonly leftovers: number;
  readonly usedBytes: number;
}

/** `evicted`: this seeder has it no more, others may. `deleted`: nobody is to have it. */
export type GoneReason = "evicted" | "deleted";

export type SupernodeMessage =
  | { readonly kind: "challenge"; readonly nonce: string }
  | { readonly kind: "welcome"; readonly seederId: string }
  | SeederRequest;

/** `gc`: down to so many bytes, or the share of the file system; absent: to the low mark. */
export type SeederRequest =
  | { readonly kind: "resolve"; readonly id: number; readonly request: Omit<TaskRequest, "peer"> }
  | { readonly kind: "delete"; readonly id: number; readonly task: TaskId }
  | { readonly kind: "pin"; readonly id: number; readonly task: TaskId; readonly pinned: boolean }
  | { readonly kind: "cache"; readonly id: number }
  | { readonly kind: "gc"; readonly id: number; readonly to?: { readonly bytes: number } | { readonly share: number } }
  | { readonly kind: "limits"; readonly id: number; readonly set: Partial<SeederLimits> }
  | { readonly kind: "browsers"; readonly id: number; readonly task: TaskId };

/** What a seeder answers to a request that succeeded: the field that fits the request's kind. */
export interface SeederResult {
  readonly task?: SeederTask;
  readonly cache?: CacheReport;
  readonly gc?: GcResult;
  readonly limits?: SeederLimits;
}

export type SeederMessage =
  | {
      readonly kind: "hello";
      /** Ed25519 public key of the cluster, 32 bytes, base64. */
      readonly key: string;
      /** Ed25519 signature over LINK_SIGNATURE_CONTEXT ‖ nonce, base64. */
      readonly signature: string;
      readonly peerId: string;
      /** Peer port, and the host to advertise where it is not the address that the supernode sees. */
      readonly port: number;
      readonly host?: string;
      readonly version: string;
      /** It serves browsers where it is asked to. */
      readonly webrtc?: boolean;
    }
  | ({ readonly kind: "reply"; readonly id: number; readonly error?: ApiErrorBody["error"] } & SeederResult)
  | { readonly kind: "task"; readonly task: SeederTask }
  | { readonly kind: "gone"; readonly task: TaskId; readonly reason: GoneReason }
  | { readonly kind: "status"; readonly status: StatusReport };
