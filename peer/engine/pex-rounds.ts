/** Tells each peer once a minute who came and who went (BEP 11). Drives; the caller's ticks are its clock. */
import type { PeerLink } from "./peer-link.ts";
import { encodePex, type PexAddress } from "./pex.ts";
import { encodeExtended } from "./wire/messages.ts";

const PEX_EVERY_MS = 60_000;

export class PexRounds {
  readonly #told = new WeakMap<PeerLink, Map<string, PexAddress>>();
  #nextMs = 0;

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
      const added = [...current].filter(([key]) => !known.has(key)).map(([, address]) => address);
      const dropped = [...known].filter(([key]) => !current.has(key)).map(([, address]) => address);
      const payload = encodePex({ added, dropped });
      if (payload !== undefined) link.connection.send(encodeExtended(link.extensions.pex, payload));
      this.#told.set(link, current);
    }
  }
}
