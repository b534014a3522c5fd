/**
 * Which supernodes to ask, in which order: the given order, without those that failed just now. Decides.
 * Weights share the contents out: the same content has the same order on every host, so that its peers meet.
 * One that refused or dropped the connection costs nothing to ask again; one that kept us waiting is left out for a
 * while, unless it is all that is left to a download that may not read the origin.
 */

import { hash } from "node:crypto";
import { readSupernode } from "./check-request.ts";

/** `refused`: no connection, or one that ended before an answer (its process died, or starts). */
export type SupernodeFailure = "refused" | "slow" | "nonsense";

const FIRST_ASIDE_MS = 5_000;
const MAX_ASIDE_MS = 60_000;
/** More remembered failures than this: the oldest is forgotten. */
const MAX_REMEMBERED = 256;

interface Aside {
  readonly failure: SupernodeFailure;
  readonly failures: number;
  readonly untilMs: number;
}

export class SupernodeList {
  readonly #aside = new Map<string, Aside>();

  /** Those to ask now. With `needed` all of them, those set aside last; without, none where all were slow or confused. */
  candidates(wish: { supernodes: readonly string[]; key: string; nowMs: number; needed: boolean }): string[] {
    const urls = supernodeOrder(wish.supernodes, wish.key);
    const asideFor = (url: string): SupernodeFailure | undefined => {
      const aside = this.#aside.get(url);
      return aside !== undefined && aside.untilMs > wish.nowMs ? aside.failure : undefined;
    };
    const good = urls.filter((url) => asideFor(url) === undefined);
    const quickToFail = urls.filter((url) => asideFor(url) === "refused");
    const costly = wish.needed ? urls.filter((url) => !good.includes(url) && !quickToFail.includes(url)) : [];
    return [...good, ...quickToFail, ...costly];
  }

  failed(url: string, failure: SupernodeFailure, nowMs: number): void {
    const failures = (this.#aside.get(url)?.failures ?? 0) + 1;
    const asideMs = Math.min(MAX_ASIDE_MS, FIRST_ASIDE_MS * 2 ** Math.min(failures - 1, 10));
    this.#aside.delete(url);
    this.#aside.set(url, { failure, failures, untilMs: nowMs + asideMs });
    const [oldest] = this.#aside.keys();
    if (this.#aside.size > MAX_REMEMBERED) this.#aside.delete(oldest);
  }

  worked(url: string): void {
    this.#aside.delete(url);
  }
}

/** The URLs in the order in which to ask for this content: as given, or by weight where any has one (absent: 1). */
export function supernodeOrder(supernodes: readonly string[], key: string): string[] {
  const read = supernodes.map(readSupernode);
  if (read.every(({ weight }) => weight === undefined)) return read.map(({ url }) => url);
  // weighted rendezvous hashing: the least of these, exponentially distributed with rate `weight`, comes first
  const scored = read.map(({ url, weight = 1 }) => ({ url, score: -Math.log(unitHash(`${url}\n${key}`)) / weight }));
  return scored.sort((a, b) => a.score - b.score).map(({ url }) => url);
}

/** Between 0 and 1, neither included. */
function unitHash(text: string): number {
  return (Number.parseInt(hash("sha256", text, "hex").slice(0, 12), 16) + 1) / (2 ** 48 + 1);
}
