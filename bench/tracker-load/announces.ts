/**
 * The announces of a load generator, built beforehand: SWARMS swarms of SWARM_PEERS peers, each wanting WANTED. Pure data.
 */
import { createHash } from "node:crypto";

export const SWARMS = 10;
export const SWARM_PEERS = 500;
export const WANTED = 50;
/** Head of 20 bytes and the peers. */
export const UDP_ANSWER_BYTES = 20 + WANTED * 6;
export const UDP_ANNOUNCE_BYTES = 98;

const FIRST_PORT = 10_000;

/** Info hashes in hex. */
export const INFO_HASHES: readonly string[] = Array.from({ length: SWARMS }, (_, index) =>
  createHash("sha1").update(`bench swarm ${index}`).digest("hex"),
);

interface Peer {
  readonly infoHash: Buffer;
  readonly peerId: Buffer;
  readonly port: number;
}

/** All peers, swarm by swarm in turn. */
function peers(): Peer[] {
  return Array.from({ length: SWARMS * SWARM_PEERS }, (_, index) => ({
    infoHash: Buffer.from(INFO_HASHES[index % SWARMS], "hex"),
    peerId: Buffer.from(`-UT3600-${String(index).padStart(12, "0")}`),
    port: FIRST_PORT + Math.floor(index / SWARMS),
  }));
}

/** BEP 15 announces; connection id (0) and transaction (12) are still to be written. */
export function udpAnnounces(): Buffer[] {
  return peers().map(({ infoHash, peerId, port }) => {
    const packet = Buffer.alloc(UDP_ANNOUNCE_BYTES);
    packet.writeUInt32BE(1, 8);
    infoHash.copy(packet, 16);
    peerId.copy(packet, 36);
    packet.writeUInt32BE(1000, 68);
    packet.writeUInt32BE(WANTED, 92);
    packet.writeUInt16BE(port, 96);
    return packet;
  });
}

/** Whole HTTP requests. */
export function httpAnnounces(options: { readonly keepAlive: boolean }): string[] {
  const connection = options.keepAlive ? "keep-alive" : "close";
  return peers().map(({ infoHash, peerId, port }) => {
    const hash = infoHash.toString("hex").replace(/../g, "%$&");
    const query = `info_hash=${hash}&peer_id=${peerId}&port=${port}&uploaded=0&downloaded=0&left=1000&compact=1&numwant=${WANTED}`;
    return `GET /announce?${query} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nConnection: ${connection}\r\n\r\n`;
  });
}
