/** Tells each peer once a minute who came and who went, and hears the same of them (BEP 11). Drives; the caller's ticks are its clock. */
import { SkimmerError } from "../../system/errors.ts";
import { EventBudget } from "./event-budget.ts";
import type { PeerLink } from "./peer-link.ts";
import { encodePex, MOST_ADDRESSES, type PexAddress, parsePex } from "./pex.ts";
import { encodeExtended } from "./wire/messages.ts";

const PEX_EVERY_MS = 60_000;
/** BEP 11 allows one a minute; several clients are a little faster at the beginning. What comes on top is not read. */
const HEARD = { perSecond: 1 / 30, burst: 4 };
/** A peer that sends so many more than it may is not one of those. */
const MOST_IGNORED = 200;

export class PexRounds {
  readonly #told = new WeakMap<PeerLink, Map<string, PexAddress>>();
  readonly #heard = new WeakMap<PeerLink, { readonly budget: EventBudget; ignored: number }>();
  #nextMs = 0;

  /** Addresses that a peer tells; none where it tells too often. Throws SkimmerError `protocol`. */
  hear(link: PeerLink, payload: Buffer, nowMs: number): PexAddress[] {
    const heard = this.#heard.get(link) ?? { budget: new EventBudget(HEARD, nowMs), ignored: 0 };
    this.#heard.set(link, heard);
    if (heard.budget.take(nowMs)) return parsePex(payload);
    if (++heard.ignored > MOST_IGNORED) throw new SkimmerError("protocol", "peer floods us with addresses");
    return [];
  }

  tick(links: ReadonlySet<PeerLink>, nowMs: number): void {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + PEX_EVERY_MS;
    const current = new Map<string, PexAddress>();
    for (const link of links) {
      const address = { host: link.connection.host, port: link.listenPort };
      if (address.port > 0) current.set(`${address.host} ${address.port}`, address);
    }
    for (const link of links) {
      if (link.extensions.pex === 0) continue;
      const known = this.#told.get(link) ?? new Map<string, PexAddress>();
      // what does not fit is told in the next round
      const added = [...current].filter(([key]) => !known.has(key)).slice(0, MOST_ADDRESSES);
      const dropped = [...known].filter(([key]) => !current.has(key)).slice(0, MOST_ADDRESSES);
      const payload = encodePex({ added: added.map(([, address]) => address), dropped: dropped.map(([, address]) => address) });
      if (payload !== undefined) link.connection.send(encodeExtended(link.extensions.pex, payload));
      for (const [key] of dropped) known.delete(key);
      for (const [key, address] of added) known.set(key, address);
      this.#told.set(link, known);
    }
  }
}
