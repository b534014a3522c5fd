/**
 * What browsers send over the WebSocket tracker, before bittorrent-tracker reads it, which trusts what it reads. Decides.
 *
 * A message is built anew from the fields that we know: offers and answers are passed on to other browsers, so nothing else may travel in them.
 */
import { asObject, parseObject } from "../../system/json-object.ts";

const MOST_OFFERS = 20;
/** Chromium's take 600 bytes and 100 for each of a host's addresses. */
const MOST_SDP_CHARACTERS = 16 * 1024;
const MOST_OFFER_ID_CHARACTERS = 80;
const MOST_SCRAPED = 100;
const EVENTS: readonly unknown[] = ["started", "completed", "stopped", "update", "empty", "paused", "", undefined, null];
/** 20 bytes, one character each. */
const ID = /^[\0-\xff]{20}$/s;

/** The message as it is handed on, and what it costs its sender. */
export interface WebMessage {
  readonly text: string;
  readonly cost: number;
}

/** Undefined: it is no message of the protocol, or one beyond the bounds. */
export function readWebMessage(text: string): WebMessage | undefined {
  const message = parseObject(text);
  if (message?.action === "scrape") return readScrape(message);
  if (message?.action === "announce") return readAnnounce(message);
  return undefined;
}

function readScrape({ info_hash: asked }: Record<string, unknown>): WebMessage | undefined {
  const hashes = Array.isArray(asked) ? asked : [asked];
  if (hashes.length === 0 || hashes.length > MOST_SCRAPED || !hashes.every(isId)) return undefined;
  return { text: JSON.stringify({ action: "scrape", info_hash: hashes }), cost: 1 + hashes.length / 10 };
}

function readAnnounce(message: Record<string, unknown>): WebMessage | undefined {
  const { info_hash, peer_id, to_peer_id, offer_id, event, left } = message;
  if (!isId(info_hash) || !isId(peer_id) || !EVENTS.includes(event)) return undefined;
  const about = { action: "announce", info_hash, peer_id };
  if (message.answer !== undefined && message.answer !== null) {
    const answer = readDescription(message.answer, "answer");
    if (answer === undefined || !isId(to_peer_id) || !isOfferId(offer_id)) return undefined;
    return { text: JSON.stringify({ ...about, answer, to_peer_id, offer_id }), cost: 1 };
  }
  const offers = readOffers(message.offers);
  if (offers === undefined) return undefined;
  const known = typeof left === "number" && left >= 0 ? left : undefined;
  return { text: JSON.stringify({ ...about, event: event ?? undefined, left: known, offers }), cost: 1 + offers.length };
}

function readOffers(value: unknown): object[] | undefined {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > MOST_OFFERS) return undefined;
  const offers: object[] = [];
  for (const each of value as unknown[]) {
    const { offer, offer_id } = asObject(each) ?? {};
    const description = readDescription(offer, "offer");
    if (description === undefined || !isOfferId(offer_id)) return undefined;
    offers.push({ offer: description, offer_id });
  }
  return offers;
}

function readDescription(value: unknown, type: "offer" | "answer"): { type: string; sdp: string } | undefined {
  const description = asObject(value);
  const sdp = description?.sdp;
  if (description?.type !== type || typeof sdp !== "string" || sdp.length > MOST_SDP_CHARACTERS) return undefined;
  return { type, sdp };
}

function isId(value: unknown): value is string {
  return typeof value === "string" && ID.test(value);
}

function isOfferId(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= MOST_OFFER_ID_CHARACTERS;
}
