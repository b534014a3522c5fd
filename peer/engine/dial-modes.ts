/**
 * How each peer is dialled: plain or encrypted, by the policy and by how it answered last time. Decides.
 */
import type { KnownPeer } from "./address-book.ts";
import type { Dialled } from "./contact.ts";
import { type DialMode, dialOrder, type EncryptionPolicy } from "./mse/encryption-policy.ts";
import type { SwarmTorrent } from "./swarm-torrent.ts";

export class DialModes {
  readonly #policy: EncryptionPolicy;
  readonly #worked = new WeakMap<KnownPeer, DialMode>();

  constructor(policy: EncryptionPolicy) {
    this.#policy = policy;
  }

  /** A handshake came. */
  onAnswer({ peer, mode }: Dialled): void {
    this.#worked.set(peer, mode);
  }

  /** The ways to try, one at once after the other. In a live swarm who hangs up is mostly full, and is not dialled twice at once; the next try is the other way. */
  of(torrent: Pick<SwarmTorrent, "live" | "infoHash">, peer: KnownPeer): readonly DialMode[] {
    const isLive = torrent.live !== undefined && peer.infoHash === torrent.infoHash;
    const worked = this.#worked.get(peer);
    const order = dialOrder(this.#policy, worked);
    // a connection that worked and ended counts as one failure (address-book.ts)
    const failures = Math.max(0, peer.failures - (worked === undefined ? 0 : 1));
    return isLive ? [order[failures % order.length]] : order;
  }
}
