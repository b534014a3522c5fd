/**
 * Shapes of the link between a seeder and its supernode: one WebSocket, opened by the seeder
 * at `/api/v1/seeders/link`, JSON text messages (at most LINK_MESSAGE_BYTES), both directions.
 *
 * Order: supernode sends `challenge`; seeder answers `hello` with its cluster key and a signature over the
 * nonce; supernode answers `welcome` or closes with 4401 and a reason. Then requests (`resolve`, `delete`) go
 * from supernode to seeder, each answered by `reply` with the same id; the seeder sends `task` whenever a
 * task's state changes (and once for each task that it holds, right after `welcome`).
 */
import type { InfoHash, TaskId } from "./ids.ts";
import type { ApiErrorBody, FinalTorrents, TaskRequest, TaskState, Validators } from "./task-api.ts";

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
  readonly error?: ApiErrorBody["error"];
}

export type SupernodeMessage =
  | { readonly kind: "challenge"; readonly nonce: string }
  | { readonly kind: "welcome"; readonly seederId: string }
  | { readonly kind: "resolve"; readonly id: number; readonly request: Omit<TaskRequest, "peer"> }
  | { readonly kind: "delete"; readonly id: number; readonly task: TaskId };

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
    }
  | { readonly kind: "reply"; readonly id: number; readonly task?: SeederTask; readonly error?: ApiErrorBody["error"] }
  | { readonly kind: "task"; readonly task: SeederTask }
  | { readonly kind: "gone"; readonly task: TaskId };
