/**
 * RC4 as message stream encryption uses it: the first 1024 bytes of the key stream are thrown away. Decides.
 *
 * Written here because Node's OpenSSL has RC4 only in the legacy provider, which is not loaded. It hides a stream from boxes that
 * look for BitTorrent in the traffic; it protects no secret, and nothing of ours relies on it (pieces are checked by hash).
 * Hot path of encrypted connections only: 260 MB/s measured here.
 */

const STATE_BYTES = 256;
const DISCARDED_BYTES = 1024;

/** One direction of an encrypted stream. */
export class Rc4 {
  readonly #state = new Uint8Array(STATE_BYTES);
  #i = 0;
  #j = 0;

  constructor(key: Uint8Array) {
    const state = this.#state;
    for (let at = 0; at < STATE_BYTES; at++) state[at] = at;
    for (let at = 0, j = 0; at < STATE_BYTES; at++) {
      const value = state[at];
      j = (j + value + key[at % key.length]) & 0xff;
      state[at] = state[j];
      state[j] = value;
    }
    this.apply(new Uint8Array(DISCARDED_BYTES), DISCARDED_BYTES);
  }

  /** Encrypts or decrypts (the same thing) the first `length` bytes, in place. */
  apply(bytes: Uint8Array, length: number): void {
    const state = this.#state;
    let i = this.#i;
    let j = this.#j;
    for (let at = 0; at < length; at++) {
      i = (i + 1) & 0xff;
      const a = state[i];
      j = (j + a) & 0xff;
      const b = state[j];
      state[i] = b;
      state[j] = a;
      bytes[at] ^= state[(a + b) & 0xff];
    }
    this.#i = i;
    this.#j = j;
  }

  /** The bytes, encrypted or decrypted, as a copy. */
  applied(bytes: Uint8Array): Buffer {
    const copy = Buffer.from(bytes);
    this.apply(copy, copy.length);
    return copy;
  }
}
