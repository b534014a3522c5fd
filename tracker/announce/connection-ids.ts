/**
 * Connection ids of the UDP tracker (BEP 15): a keyed hash of the caller's address, so that nothing is kept for a caller, and nobody
 * announces from an address at which he does not get answers. Decides: time and keys are arguments.
 *
 * Invariant: an id is good for PERIOD_MS at least and twice that at most; BEP 15 wants one minute and two.
 */
import { sipHash16 } from "./sip-hash.ts";

const PERIOD_MS = 60_000;

export class ConnectionIds {
  #key: Int32Array;
  #before: Int32Array;
  #period = 0;
  readonly #makeKey: () => Int32Array;
  readonly #hash = new Int32Array(2);

  /** `makeKey`: four random words. */
  constructor(makeKey: () => Int32Array) {
    this.#makeKey = makeKey;
    this.#key = makeKey();
    this.#before = makeKey();
  }

  /** Writes the id for an address, 8 bytes. */
  write(address: Int32Array, nowMs: number, into: Buffer, at: number): void {
    this.#rotate(nowMs);
    sipHash16(this.#key, address, this.#hash);
    into.writeInt32BE(this.#hash[0], at);
    into.writeInt32BE(this.#hash[1], at + 4);
  }

  /** Whether the 8 bytes are an id of that address. */
  check(address: Int32Array, nowMs: number, from: Buffer, at: number): boolean {
    this.#rotate(nowMs);
    const low = from.readInt32BE(at);
    const high = from.readInt32BE(at + 4);
    return this.#fits(this.#key, address, low, high) || this.#fits(this.#before, address, low, high);
  }

  #fits(key: Int32Array, address: Int32Array, low: number, high: number): boolean {
    sipHash16(key, address, this.#hash);
    return this.#hash[0] === low && this.#hash[1] === high;
  }

  #rotate(nowMs: number): void {
    const period = Math.floor(nowMs / PERIOD_MS);
    if (period === this.#period) return;
    this.#before = period === this.#period + 1 ? this.#key : this.#makeKey();
    this.#key = this.#makeKey();
    this.#period = period;
  }
}
