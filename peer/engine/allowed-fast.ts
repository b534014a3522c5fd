/**
 * Pieces that a peer may have of us though we choke it, so that a newcomer soon has something to give (BEP 6). Decides.
 *
 * Which ones follows from its network and the torrent: who comes back, or from a neighbouring address, gets the same few. Each is
 * good for TIMES its length; who asks for more of one loses them all.
 */
import { hash } from "node:crypto";
import { isIPv4 } from "node:net";
import type { InfoHash } from "../../torrents/ids.ts";

/** BEP 6's k: so many pieces are allowed, to peers that have fewer. */
export const ALLOWED_FAST_PIECES = 10;
/** A lost or cancelled block may be asked for again. */
const TIMES = 2;
const BLOCK_BYTES = 16_384;
const HASH_BYTES = 20;
const INDEX_BYTES = 4;

/** The canonical set of BEP 6, in its order; empty for addresses that are not IPv4, for which there is none. */
export function allowedFastSet(peer: { host: string; infoHash: InfoHash }, pieceCount: number, most = ALLOWED_FAST_PIECES): number[] {
  if (!isIPv4(peer.host)) return [];
  if (pieceCount <= most) return Array.from({ length: pieceCount }, (_, index) => index);
  const [first, second, third] = peer.host.split(".").map(Number);
  let x = Buffer.concat([Buffer.from([first, second, third, 0]), Buffer.from(peer.infoHash, "hex")]);
  const chosen = new Set<number>();
  while (chosen.size < most) {
    x = Buffer.from(hash("sha1", x, "buffer"));
    for (let at = 0; at < HASH_BYTES && chosen.size < most; at += INDEX_BYTES) chosen.add(x.readUInt32BE(at) % pieceCount);
  }
  return [...chosen];
}

/** What one peer may still ask for while it is choked. */
export class FastGrant {
  readonly #leftBytes: Map<number, number>;

  constructor(pieces: readonly { readonly index: number; readonly lengthBytes: number }[]) {
    // a last block may be asked for as a whole one
    this.#leftBytes = new Map(pieces.map(({ index, lengthBytes }) => [index, TIMES * (lengthBytes + BLOCK_BYTES)]));
  }

  /** Whether it may have so much of the piece. */
  take({ index, length }: { readonly index: number; readonly length: number }): boolean {
    const leftBytes = this.#leftBytes.get(index);
    if (leftBytes === undefined) return false;
    if (length > leftBytes) {
      this.#leftBytes.clear();
      return false;
    }
    this.#leftBytes.set(index, leftBytes - length);
    return true;
  }
}
