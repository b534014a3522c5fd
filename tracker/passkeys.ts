/**
 * Passkeys of private tasks: part of the announce URL that only registered callers were told. Reads or makes the secret; the rest decides.
 *
 * The info hash of private content is a secret too, but every handshake shows it on the wire; a passkey is only ever told to the tracker.
 * Invariant: the same task has the same passkey as long as the secret file lives, so that announce URLs survive a restart.
 */
import { createHmac, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import type { TaskId } from "../torrents/ids.ts";

const SECRET_BYTES = 32;
const PASSKEY_LENGTH = 32;

export class Passkeys {
  readonly #secret: Buffer;

  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  /** With the secret in that file, made where there is none. */
  static async open(path: string): Promise<Passkeys> {
    await writeFile(path, randomBytes(SECRET_BYTES), { flag: "wx", mode: 0o600 }).catch(() => undefined);
    return new Passkeys(await readFile(path));
  }

  of(task: TaskId): string {
    return createHmac("sha256", this.#secret).update(task).digest("hex").slice(0, PASSKEY_LENGTH);
  }
}
