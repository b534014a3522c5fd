/**
 * The words of WebSocket trackers: JSON, with hashes and ids as strings of 20 characters, one a byte. Decides.
 * A tracker passes on what strangers sent: nothing is believed but what has the right shape and length.
 */
import { asObject, parseObject } from "../../system/json-object.ts";
import { type InfoHash, type PeerId, parseInfoHash, parsePeerId } from "../../torrents/ids.ts";
import type { Announce, AnnounceAnswer } from "./announce.ts";

export type WebMessage =
  | { readonly kind: "answered"; readonly infoHash: InfoHash; readonly answer: AnnounceAnswer }
  /** Somebody calls, or answers a call of ours. */
  | {
      readonly kind: "offer" | "answer";
      readonly infoHash: InfoHash;
      readonly peerId: PeerId;
      readonly offerId: string;
      readonly sdp: string;
    };

const MOST_SDP_CHARACTERS = 16 * 1024;
const MOST_OFFER_ID_CHARACTERS = 80;
const MOST_WORDS_CHARACTERS = 200;
/** 20 bytes, one character each. */
const ID = /^[\0-\xff]{20}$/s;

/** Undefined: nothing of the protocol, or nothing that we can use. */
export function readWebMessage(text: string): WebMessage | undefined {
  const message = parseObject(text);
  const infoHash = parseInfoHash(hexOf(message?.info_hash));
  if (message === undefined || infoHash === undefined || (message.action !== "announce" && message.action !== undefined)) return undefined;
  if (message.offer === undefined && message.answer === undefined) return { kind: "answered", infoHash, answer: readAnswer(message) };
  const kind = message.offer === undefined ? "answer" : "offer";
  const sdp = readSdp(message[kind], kind);
  const peerId = parsePeerId(hexOf(message.peer_id));
  const { offer_id: offerId } = message;
  const isCall = typeof offerId === "string" && offerId.length <= MOST_OFFER_ID_CHARACTERS;
  return sdp === undefined || peerId === undefined || !isCall ? undefined : { kind, infoHash, peerId, offerId, sdp };
}

/** An announce, with calls for whoever is there. */
export function announceWords(announce: Announce, offers: readonly { readonly id: string; readonly sdp: string }[]): string {
  const { uploaded, downloaded, left, event, trackerId } = announce;
  return JSON.stringify({
    ...aboutUs(announce),
    uploaded,
    downloaded,
    left,
    event,
    trackerid: trackerId,
    numwant: offers.length,
    offers: offers.map(({ id, sdp }) => ({ offer: { type: "offer", sdp }, offer_id: id })),
  });
}

/** Our answer to a call. */
export function answerWords(call: { infoHash: InfoHash; peerId: PeerId; to: PeerId; offerId: string; sdp: string }): string {
  const { to, offerId, sdp } = call;
  return JSON.stringify({ ...aboutUs(call), to_peer_id: binary(to), offer_id: offerId, answer: { type: "answer", sdp } });
}

function aboutUs({ infoHash, peerId }: { infoHash: InfoHash; peerId: PeerId }) {
  return { action: "announce", info_hash: binary(infoHash), peer_id: binary(peerId) };
}

function readAnswer(message: Record<string, unknown>): AnnounceAnswer {
  return {
    peers: [],
    intervalS: count(message.interval),
    minIntervalS: count(message["min interval"]),
    seeds: count(message.complete),
    leeches: count(message.incomplete),
    trackerId: words(message["tracker id"]),
    warning: words(message["warning message"]),
    failure: words(message["failure reason"]),
  };
}

function readSdp(value: unknown, type: string): string | undefined {
  const description = asObject(value);
  const sdp = description?.sdp;
  return description?.type === type && typeof sdp === "string" && sdp.length <= MOST_SDP_CHARACTERS ? sdp : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function words(value: unknown): string | undefined {
  return typeof value === "string" ? value.slice(0, MOST_WORDS_CHARACTERS) : undefined;
}

function binary(hex: string): string {
  return Buffer.from(hex, "hex").toString("latin1");
}

function hexOf(value: unknown): string {
  return typeof value === "string" && ID.test(value) ? Buffer.from(value, "latin1").toString("hex") : "";
}
