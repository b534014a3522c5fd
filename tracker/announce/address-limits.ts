/**
 * How many peers one address may bring into the swarms: counted in cells that addresses are hashed to, so that memory is the same however
 * many addresses there are. Decides. Invariant: within a period at most MOST_NEW_PEERS of one IPv4 address or IPv6 /64 are admitted.
 *
 * An announce beyond that is answered, but not recorded. This machine's own addresses have no limit.
 */
import type { Ask } from "../swarm/ask.ts";
import { sipHash16 } from "./sip-hash.ts";

/** Room for a site of this many hosts behind one address, each in a few swarms. */
export const MOST_NEW_PEERS = 5000;
const CELLS = 65_536;

export class AddressLimits {
  readonly #counts = new Uint16Array(CELLS);
  readonly #key: Int32Array;
  readonly #input = new Int32Array(4);
  readonly #hash = new Int32Array(2);
  readonly #periodMs: () => number;
  #startMs = 0;

  /** `key`: four random words. `periodMs`: after how long counting begins anew; as long as a silent peer is kept. */
  constructor(options: { key: Int32Array; periodMs: () => number }) {
    this.#key = options.key;
    this.#periodMs = options.periodMs;
  }

  /** Counts one more peer; false where there are enough. */
  admit(ask: Ask, nowMs: number): boolean {
    if (isLoopback(ask)) return true;
    if (nowMs - this.#startMs > this.#periodMs()) {
      this.#counts.fill(0);
      this.#startMs = nowMs;
    }
    const { addressWords } = ask;
    this.#input[0] = addressWords[0];
    this.#input[1] = addressWords[1];
    // of an IPv6 address the second half is the host's to choose
    this.#input[2] = ask.v6 ? 0 : addressWords[2];
    this.#input[3] = ask.v6 ? 0 : addressWords[3];
    sipHash16(this.#key, this.#input, this.#hash);
    const cell = this.#hash[0] & (CELLS - 1);
    if (this.#counts[cell] >= MOST_NEW_PEERS) return false;
    this.#counts[cell]++;
    return true;
  }
}

function isLoopback({ v6, address }: Ask): boolean {
  if (!v6) return address[12] === 127;
  for (let at = 0; at < 15; at++) if (address[at] !== 0) return false;
  return address[15] === 1;
}
