/**
 * Datagrams of the UDP tracker (BEP 15, 41): reading of requests, writing of answers. Decides; never throws on what a remote sent.
 * Hot path: an announce is read into an Ask that is used again and again.
 */
import { type Ask, EVENT, UNKNOWN_SHARE } from "../swarm/ask.ts";
import { MOST_PICKS } from "../swarm/select-peers.ts";
import type { HandOut } from "../swarm/swarm-group.ts";
import { writeCompact } from "./compact-peers.ts";

export const ACTION = { connect: 0, announce: 1, scrape: 2, error: 3 } as const;
export const CONNECT_BYTES = 16;
const ANNOUNCE_BYTES = 98;
const ANSWER_HEAD_BYTES = 20;
/** Of the magic number in a connect request. */
const [MAGIC_HIGH, MAGIC_LOW] = [0x417, 0x27101980];
/** What fits into a datagram (BEP 15). */
const MOST_SCRAPED = 74;
/** 20 + 18 × 64 = 1172 bytes: fits into the least packet of IPv6 (1280 bytes with 48 of headers). */
const MOST_V6_PEERS = 64;
const DEFAULT_NUMWANT = 50;
const MOST_URL_BYTES = 2048;
/** BEP 15 ends with `stopped`; `paused` (BEP 21) follows it where clients send it. */
const MOST_EVENT = EVENT.paused;
const OPTION = { end: 0, nothing: 1, url: 2 } as const;

export type UdpKind = "connect" | "announce" | "scrape" | "bad";

/** What a datagram is, by its length and first bytes. The connection id of the others is still to be checked. */
export function kindOfDatagram(message: Buffer): UdpKind {
  if (message.length < CONNECT_BYTES) return "bad";
  const action = message.readUInt32BE(8);
  if (action === ACTION.announce) return message.length >= ANNOUNCE_BYTES ? "announce" : "bad";
  if (action === ACTION.connect) return message.readUInt32BE(0) === MAGIC_HIGH && message.readUInt32BE(4) === MAGIC_LOW ? "connect" : "bad";
  return action === ACTION.scrape && message.length >= CONNECT_BYTES + 20 ? "scrape" : "bad";
}

/** Reads an announce of at least 98 bytes; the address is the sender's. False where it makes no sense. */
export function readUdpAnnounce(message: Buffer, ask: Ask): boolean {
  const event = message.readUInt32BE(80);
  const port = message.readUInt16BE(96);
  if (event > MOST_EVENT || port === 0) return false;
  ask.infoHash = message.toString("latin1", 16, 36);
  message.copy(ask.peerId, 0, 36, 56);
  ask.left = message.readUInt32BE(64) * 2 ** 32 + message.readUInt32BE(68);
  ask.event = event;
  // the IP address field (84) is not believed: it would make others' addresses peers
  const numwant = message.readInt32BE(92);
  ask.numwant = numwant <= 0 ? (numwant === 0 ? DEFAULT_NUMWANT : MOST_PICKS) : numwant;
  ask.family = ask.v6 ? 6 : 4;
  if (ask.v6) ask.numwant = Math.min(ask.numwant, MOST_V6_PEERS);
  ask.port = port;
  ask.spare = UNKNOWN_SHARE;
  return true;
}

/** Path and query of the tracker's URL, where the client sent them as options (BEP 41). */
export function readUrlOption(message: Buffer): string {
  if (message.length === ANNOUNCE_BYTES) return "";
  let url = "";
  for (let at = ANNOUNCE_BYTES; at < message.length; ) {
    const type = message[at++];
    if (type === OPTION.end) break;
    if (type === OPTION.nothing) continue;
    if (at >= message.length) break;
    const length = message[at++];
    if (type === OPTION.url && url.length + length <= MOST_URL_BYTES)
      url += message.toString("latin1", at, Math.min(at + length, message.length));
    at += length;
  }
  return url;
}

/** Info hashes of a scrape. */
export function readUdpScrape(message: Buffer): string[] {
  const count = Math.min(MOST_SCRAPED, Math.floor((message.length - CONNECT_BYTES) / 20));
  return Array.from({ length: count }, (_, index) =>
    message.toString("latin1", CONNECT_BYTES + index * 20, CONNECT_BYTES + index * 20 + 20),
  );
}

/** The answer to an announce; its transaction is at 12 of the request. */
export function writeUdpAnswer(request: Buffer, handOut: HandOut, options: { readonly intervalS: number; readonly family: 4 | 6 }): Buffer {
  const { table, picked, pickedCount } = handOut;
  const answer = Buffer.allocUnsafe(ANSWER_HEAD_BYTES + pickedCount * (options.family === 6 ? 18 : 6));
  answer.writeUInt32BE(ACTION.announce, 0);
  request.copy(answer, 4, 12, 16);
  answer.writeUInt32BE(options.intervalS, 8);
  answer.writeUInt32BE(handOut.incomplete, 12);
  answer.writeUInt32BE(handOut.complete, 16);
  const end = writeCompact({ table, picked, pickedCount, family: options.family }, answer, ANSWER_HEAD_BYTES);
  return end === answer.length ? answer : answer.subarray(0, end);
}

export function writeUdpScrape(
  request: Buffer,
  counts: readonly { readonly complete: number; readonly downloaded: number; readonly incomplete: number }[],
): Buffer {
  const answer = Buffer.allocUnsafe(8 + counts.length * 12);
  answer.writeUInt32BE(ACTION.scrape, 0);
  request.copy(answer, 4, 12, 16);
  for (const [index, { complete, downloaded, incomplete }] of counts.entries()) {
    answer.writeUInt32BE(complete, 8 + index * 12);
    answer.writeUInt32BE(downloaded, 12 + index * 12);
    answer.writeUInt32BE(incomplete, 16 + index * 12);
  }
  return answer;
}

/** Never longer than the request that it answers, so that nobody gains by a forged sender. */
export function writeUdpError(request: Buffer, text: string): Buffer {
  const answer = Buffer.alloc(Math.min(request.length, 8 + Buffer.byteLength(text)));
  answer.writeUInt32BE(ACTION.error, 0);
  request.copy(answer, 4, 12, 16);
  answer.write(text, 8);
  return answer;
}
