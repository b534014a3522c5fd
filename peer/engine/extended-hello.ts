/**
 * What we tell of ourselves in the extended handshake (BEP 10).
 */
import type { PeerLink } from "./peer-link.ts";
import type { SwarmTorrent } from "./swarm-torrent.ts";
import { OUR_BLOCK_BYTES } from "./uploader.ts";
import { encodeExtendedHandshake } from "./wire/extended-handshake.ts";
import { encodeExtended } from "./wire/messages.ts";

const REQUEST_QUEUE = 1000;
const VERSION = "Skimmer 0.1";

/** Sends it; `port` is where we can be dialled. */
export function sendExtendedHandshake(torrent: SwarmTorrent, link: PeerLink, port: number): void {
  const payload = encodeExtendedHandshake({
    metadataBytes: torrent.identity.infoFor(link.infoHash)?.length ?? 0,
    port,
    live: torrent.live !== undefined,
    blockBytes: OUR_BLOCK_BYTES,
    requestQueue: REQUEST_QUEUE,
    version: VERSION,
    needsNothing: torrent.complete,
  });
  link.connection.send(encodeExtended(0, payload));
}
