/** Padding of a random length, so that a handshake has no length to be recognized by. Decides, given random bytes. */
import { MOST_PAD_BYTES } from "./mse-keys.ts";

/** 0 to MOST_PAD_BYTES random bytes. */
export function randomPad(randomBytes: (count: number) => Buffer): Buffer {
  return randomBytes(randomBytes(2).readUInt16BE(0) % (MOST_PAD_BYTES + 1));
}
