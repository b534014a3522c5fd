/**
 * How each peer is dialled: plain or encrypted, by the policy and by how it answered last time. Decides.
 */
import type { KnownPeer } from "./address-book.ts";
import type { Dialled } from "./contact.ts";
import { type DialMode, dialOrder, type EncryptionPolicy } from "./mse/encryption-policy.ts";
import type { SwarmTorrent } from "./swarm-torrent.ts";

/** An encrypted handshake costs 26 ms the first time: not for a host that only begins a little later than we. */
const TRIES_EACH_WAY = 2;

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

  /** The ways to try, one at once after the other. In a live swarm who hangs up is mostly full, or not there yet, and is not dialled twice at once; after two tries comes the other way. */
  of(torrent: Pick<SwarmTorrent, "live" | "infoHash">, peer: KnownPeer): readonly DialMode[] {
    const isLive = torrent.live !== undefined && peer.infoHash === torrent.infoHash;
    const worked = this.#worked.get(peer);
    const order = dialOrder(this.#policy, worked);
    // a connection that worked and ended counts as one failure (address-book.ts)
    const failures = Math.max(0, peer.failures - (worked === undefined ? 0 : 1));
    return isLive ? [order[Math.floor(failures / TRIES_EACH_WAY) % order.length]] : order;
  }
}
