/**
 * The request target of an HTTP announce or scrape (BEP 3, 7, 21, 23, 48), read from bytes. Decides; never throws on what a remote sent.
 * Hot path: an announce is read into one HttpAnnounce that is used again and again; strings are made of rare fields only.
 *
 * Beyond the BEPs our daemons send `idc`, `location` and `spare` (docs/tracker.md). `ip` is not believed: see host-claims.ts.
 */
import { type Ask, EVENT, emptyAsk, UNKNOWN_SHARE } from "../swarm/ask.ts";

export interface HttpAnnounce {
  readonly ask: Ask;
  compact: boolean;
  noPeerId: boolean;
  idc: string;
  location: string;
  /** What follows `/announce/` in the path. */
  path: string;
}

const DEFAULT_NUMWANT = 50;
const MOST_HASHES = 100;
/** A passkey and a claimed address. */
const MOST_PATH_LENGTH = 96;
const [SLASH, QUESTION, AND, EQUALS, PERCENT, PLUS, MINUS, ZERO, NINE] = [..."/?&=%+-09"].map((char) => char.charCodeAt(0));
const ANNOUNCE = "/announce";
const SCRAPE = "/scrape";
const id = Buffer.alloc(20);

export function emptyHttpAnnounce(): HttpAnnounce {
  return { ask: emptyAsk(), compact: false, noPeerId: false, idc: "", location: "", path: "" };
}

/** Which of the two a target is, at `start` of the bytes. */
export function kindOfTarget(bytes: Uint8Array, start: number, end: number): "announce" | "scrape" | "other" {
  for (const [kind, path] of [
    ["announce", ANNOUNCE],
    ["scrape", SCRAPE],
  ] as const) {
    const after = start + path.length;
    const ends = after === end || bytes[after] === QUESTION || bytes[after] === SLASH;
    if (after <= end && ends && isText(bytes, start, after, path)) return kind;
  }
  return "other";
}

/** Reads an announce's target; the address is set by the caller. Answers what is wrong with it, or undefined. */
export function readHttpAnnounce(bytes: Buffer, start: number, end: number, into: HttpAnnounce): string | undefined {
  const { ask } = into;
  reset(into);
  let found = 0;
  let at = queryStart(bytes, start, end);
  into.path = pathIn(bytes, start + ANNOUNCE.length, at);
  while (at < end) {
    let equals = at;
    while (equals < end && bytes[equals] !== EQUALS && bytes[equals] !== AND) equals++;
    let stop = equals;
    while (stop < end && bytes[stop] !== AND) stop++;
    const value = Math.min(equals + 1, stop);
    const length = equals - at;
    if (length === 9 && isText(bytes, at, equals, "info_hash")) {
      if (!readId(bytes, value, stop)) return "invalid info_hash: 20 bytes, percent-encoded";
      ask.infoHash = id.toString("latin1", 0, 20);
      found |= 1;
    } else if (length === 7 && isText(bytes, at, equals, "peer_id")) {
      if (!readId(bytes, value, stop)) return "invalid peer_id: 20 bytes, percent-encoded";
      ask.peerId.set(id);
      found |= 2;
    } else if (length === 4 && isText(bytes, at, equals, "port")) ask.port = readNumber(bytes, value, stop);
    else readRest(bytes, { at, equals, value, stop }, into);
    at = stop + 1;
  }
  if ((found & 1) === 0) return "there is no info_hash";
  if ((found & 2) === 0) return "there is no peer_id";
  return ask.port > 0 && ask.port < 65_536 ? undefined : "invalid port";
}

/** Info hashes of a scrape, and what follows `/scrape/`. */
export function readHttpScrape(bytes: Buffer, start: number, end: number): { hashes: string[]; passkey: string } {
  const hashes: string[] = [];
  const from = queryStart(bytes, start, end);
  const passkey = pathIn(bytes, start + SCRAPE.length, from);
  for (let at = from; at < end && hashes.length < MOST_HASHES; ) {
    let stop = bytes.indexOf(AND, at);
    if (stop < 0 || stop > end) stop = end;
    const value = at + "info_hash=".length;
    if (value <= stop && isText(bytes, at, value, "info_hash=") && readId(bytes, value, stop)) hashes.push(id.toString("latin1", 0, 20));
    at = stop + 1;
  }
  return { hashes, passkey };
}

function reset(into: HttpAnnounce): void {
  into.compact = into.noPeerId = false;
  into.idc = into.location = into.path = "";
  const { ask } = into;
  ask.port = 0;
  ask.left = Number.POSITIVE_INFINITY;
  ask.event = EVENT.none;
  ask.numwant = DEFAULT_NUMWANT;
  ask.family = 0;
  ask.spare = UNKNOWN_SHARE;
}

interface Field {
  readonly at: number;
  readonly equals: number;
  readonly value: number;
  readonly stop: number;
}

function readRest(bytes: Buffer, { at, equals, value, stop }: Field, into: HttpAnnounce): void {
  const { ask } = into;
  const length = equals - at;
  if (length === 4 && isText(bytes, at, equals, "left")) {
    const left = readNumber(bytes, value, stop);
    if (left >= 0) ask.left = left;
  } else if (length === 7 && isText(bytes, at, equals, "compact")) into.compact = readNumber(bytes, value, stop) === 1;
  else if (length === 7 && isText(bytes, at, equals, "numwant")) {
    const numwant = readNumber(bytes, value, stop);
    if (bytes[value] === MINUS) ask.numwant = -1;
    else if (numwant >= 0) ask.numwant = numwant;
  } else if (length === 5 && isText(bytes, at, equals, "event")) ask.event = readEvent(bytes, value, stop);
  else if (length === 5 && isText(bytes, at, equals, "spare")) {
    const spare = readNumber(bytes, value, stop);
    if (spare >= 0 && spare <= 100) ask.spare = spare;
  } else if (length === 10 && isText(bytes, at, equals, "no_peer_id")) into.noPeerId = readNumber(bytes, value, stop) === 1;
  else if (length === 3 && isText(bytes, at, equals, "idc")) into.idc = readText(bytes, value, stop);
  else if (length === 8 && isText(bytes, at, equals, "location")) into.location = readText(bytes, value, stop);
}

function readEvent(bytes: Buffer, start: number, end: number): number {
  if (isText(bytes, start, end, "started")) return EVENT.started;
  if (isText(bytes, start, end, "completed")) return EVENT.completed;
  if (isText(bytes, start, end, "stopped")) return EVENT.stopped;
  return isText(bytes, start, end, "paused") ? EVENT.paused : EVENT.none;
}

/** Where the query begins, behind the question mark. */
function queryStart(bytes: Buffer, start: number, end: number): number {
  const question = bytes.indexOf(QUESTION, start);
  return question < 0 || question >= end ? end : question + 1;
}

function pathIn(bytes: Buffer, start: number, query: number): string {
  if (bytes[start] !== SLASH) return "";
  const end = bytes[query - 1] === QUESTION ? query - 1 : query;
  return end - start - 1 <= MOST_PATH_LENGTH ? bytes.toString("latin1", start + 1, end) : "";
}

function isText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let at = 0; at < text.length; at++) if (bytes[start + at] !== text.charCodeAt(at)) return false;
  return true;
}

/** Decodes exactly 20 bytes into `id`. */
function readId(bytes: Buffer, start: number, end: number): boolean {
  let to = 0;
  for (let at = start; at < end; at++) {
    if (to === 20) return false;
    let byte = bytes[at];
    if (byte === PERCENT) {
      // hexDigit answers -1 for what is none, and so does the whole
      byte = at + 2 < end ? (hexDigit(bytes[at + 1]) << 4) | hexDigit(bytes[at + 2]) : -1;
      if (byte < 0) return false;
      at += 2;
    } else if (byte === PLUS) byte = 0x20;
    id[to++] = byte;
  }
  return to === 20;
}

function hexDigit(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** A whole number in decimal digits, or -1. */
function readNumber(bytes: Buffer, start: number, end: number): number {
  if (start >= end || end - start > 20) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    if (bytes[at] < ZERO || bytes[at] > NINE) return -1;
    value = value * 10 + bytes[at] - ZERO;
  }
  return value;
}

function readText(bytes: Buffer, start: number, end: number): string {
  try {
    return decodeURIComponent(bytes.toString("latin1", start, end).replaceAll("+", " "));
  } catch {
    return "";
  }
}
