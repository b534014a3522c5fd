/**
 * How many requests a caller may make: a bucket for each key, which is an address (an IPv6 /64) or a token. Decides.
 *
 * Invariant: memory is bounded by MOST_KEYS; the key that asked longest ago makes room, whose bucket was full again by then unless somebody
 * calls from very many addresses, each of which has only what a new one has.
 */
import { isIPv6 } from "node:net";

const MOST_KEYS = 20_000;
/** Seconds' worth that may come at once. */
const BURST_SECONDS = 4;

interface Bucket {
  tokens: number;
  updatedMs: number;
}

export class RequestLimits {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  /** `perSecond`: requests of one key; 0 is unlimited. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Takes one request; answers 0, or after how long the next one would be let through where this one is not. */
  take(key: string, nowMs: number): number {
    if (this.#perSecond === 0) return 0;
    const most = this.#perSecond * BURST_SECONDS;
    const bucket = this.#buckets.get(key) ?? { tokens: most, updatedMs: nowMs };
    bucket.tokens = Math.min(most, bucket.tokens + (Math.max(0, nowMs - bucket.updatedMs) / 1000) * this.#perSecond);
    bucket.updatedMs = nowMs;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MOST_KEYS) this.#buckets.delete(this.#buckets.keys().next().value as string);
    if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) / this.#perSecond) * 1000);
    bucket.tokens--;
    return 0;
  }
}

/** What counts as one caller: of an IPv6 address the first half, since the second is the host's to choose. */
export function limitKey(address: string): string {
  if (!isIPv6(address)) return address;
  const [head, tail = ""] = address.split("%", 1)[0].split("::", 2);
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  const zeros = address.includes("::") ? Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0") : [];
  return [...left, ...zeros, ...right]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
