/**
 * Passkeys of private tasks: part of the announce URL that only registered callers were told. Decides.
 *
 * The info hash of private content is a secret too, but every handshake shows it on the wire; a passkey is only ever told to the tracker.
 * Invariant: the same task has the same passkey as long as the secret file lives, so that announce URLs survive a restart.
 */
import { createHmac } from "node:crypto";
import type { TaskId } from "../torrents/ids.ts";

const PASSKEY_LENGTH = 32;

export class Passkeys {
  readonly #secret: Buffer;

  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  of(task: TaskId): string {
    return createHmac("sha256", this.#secret).update(task).digest("hex").slice(0, PASSKEY_LENGTH);
  }
}
