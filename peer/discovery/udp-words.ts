/**
 * Datagrams of the UDP tracker protocol (BEP 15, 41), the asking side. Decides; what a remote sent never makes it throw.
 */
import { expand } from "../engine/pex.ts";
import { type Announce, type AnnounceAnswer, type AnnounceEvent, MOST_PEERS, V4_PEER_BYTES, V6_PEER_BYTES } from "./announce.ts";

const ACTION = { connect: 0, announce: 1, error: 3 } as const;
const EVENT: Readonly<Record<AnnounceEvent, number>> = { completed: 1, started: 2, stopped: 3 };
const PROTOCOL_ID = Buffer.from("0000041727101980", "hex");
const CONNECT_BYTES = 16;
const ANNOUNCE_BYTES = 98;
const ANSWER_HEAD_BYTES = 20;
const MOST_WORDS = 200;
const MOST_URL_BYTES = 2048;
const MOST_OPTION_BYTES = 255;
const URL_OPTION = 2;

export interface UdpAnnounce extends Announce {
  /** Random, kept over address changes. */
  readonly key: number;
  /** Path and query of the tracker's URL. */
  readonly target: string;
}

/** What a datagram from a tracker says. */
export type UdpReply =
  | { readonly kind: "connected"; readonly connectionId: Buffer }
  | { readonly kind: "announced"; readonly answer: AnnounceAnswer }
  | { readonly kind: "failed"; readonly failure: string };

export function encodeConnect(transaction: number): Buffer {
  const datagram = Buffer.alloc(CONNECT_BYTES);
  PROTOCOL_ID.copy(datagram);
  datagram.writeUInt32BE(ACTION.connect, 8);
  datagram.writeUInt32BE(transaction, 12);
  return datagram;
}

export function encodeAnnounce(announce: UdpAnnounce, connectionId: Buffer, transaction: number): Buffer {
  const head = Buffer.alloc(ANNOUNCE_BYTES);
  connectionId.copy(head, 0, 0, 8);
  head.writeUInt32BE(ACTION.announce, 8);
  head.writeUInt32BE(transaction, 12);
  head.write(announce.infoHash, 16, "hex");
  head.write(announce.peerId, 36, "hex");
  writeUint64(head, announce.downloaded, 56);
  writeUint64(head, announce.left, 64);
  writeUint64(head, announce.uploaded, 72);
  head.writeUInt32BE(announce.event === undefined ? 0 : EVENT[announce.event], 80);
  // 84: our address; 0 is the sender's
  head.writeUInt32BE(announce.key, 88);
  head.writeInt32BE(announce.numwant, 92);
  head.writeUInt16BE(announce.port, 96);
  return Buffer.concat([head, urlOptions(announce.target)]);
}

/** The transaction that the datagram belongs to; undefined: it is too short to have one. */
export function transactionOf(datagram: Buffer): number | undefined {
  return datagram.length < 8 ? undefined : datagram.readUInt32BE(4);
}

/** Reads an answer of at least 8 bytes; undefined where it makes no sense. */
export function readReply(datagram: Buffer, family: 4 | 6): UdpReply | undefined {
  const action = datagram.readUInt32BE(0);
  if (action === ACTION.error) return { kind: "failed", failure: datagram.toString("utf8", 8, 8 + MOST_WORDS) };
  if (action === ACTION.connect && datagram.length >= CONNECT_BYTES)
    return { kind: "connected", connectionId: Buffer.from(datagram.subarray(8, 16)) };
  if (action !== ACTION.announce || datagram.length < ANSWER_HEAD_BYTES) return undefined;
  const unitBytes = family === 4 ? V4_PEER_BYTES : V6_PEER_BYTES;
  const answer = {
    peers: expand(datagram.subarray(ANSWER_HEAD_BYTES, ANSWER_HEAD_BYTES + MOST_PEERS * unitBytes), unitBytes),
    intervalS: datagram.readUInt32BE(8),
    minIntervalS: undefined,
    leeches: datagram.readUInt32BE(12),
    seeds: datagram.readUInt32BE(16),
    failure: undefined,
  };
  return { kind: "announced", answer };
}

/** BEP 41: trackers that tell torrents or users apart by the URL need its path and query. */
function urlOptions(target: string): Buffer {
  const bytes = Buffer.from(target, "utf8").subarray(0, MOST_URL_BYTES);
  const parts: Buffer[] = [];
  for (let at = 0; target !== "/" && at < bytes.length; at += MOST_OPTION_BYTES) {
    const part = bytes.subarray(at, at + MOST_OPTION_BYTES);
    parts.push(Buffer.from([URL_OPTION, part.length]), part);
  }
  return Buffer.concat(parts);
}

function writeUint64(target: Buffer, value: number, at: number): void {
  target.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  target.writeUInt32BE(value % 2 ** 32, at + 4);
}
