/**
 * The HTTP tracker protocol's words (BEP 3, 7, 23, 31): the query of an announce and the reading of its answer. Decides.
 *
 * Own code and not bittorrent-tracker's client: importing that costs 150 ms and some 20 MB in every daemon (measured;
 * it brings WebRTC and WebSocket along), for what are these hundred lines.
 */
import { type BencodeDict, type BencodeValue, decodeDict, dictBytes, dictInt, dictList, dictString } from "../../torrents/bencode.ts";
import { expand } from "../engine/pex.ts";
import { type Announce, type AnnounceAnswer, type FoundPeer, MOST_PEERS, V4_PEER_BYTES, V6_PEER_BYTES } from "./announce.ts";

const MAX_WORDS_LENGTH = 200;
const MAX_TRACKER_ID_LENGTH = 512;
const MAX_HOST_LENGTH = 255;

/** The announce URL with its query. */
export function announceUrl(tracker: string, announce: Announce): string {
  const query = [
    `info_hash=${percent(announce.infoHash)}`,
    `peer_id=${percent(announce.peerId)}`,
    `port=${announce.port}`,
    `uploaded=${announce.uploaded}`,
    `downloaded=${announce.downloaded}`,
    `left=${announce.left}`,
    "compact=1",
    `numwant=${announce.numwant}`,
  ];
  if (announce.event !== undefined) query.push(`event=${announce.event}`);
  if (announce.trackerId !== undefined) query.push(`trackerid=${encodeURIComponent(announce.trackerId)}`);
  if (announce.spare !== undefined) query.push(`spare=${announce.spare}`);
  for (const [name, label] of Object.entries(announce.labels ?? {}))
    if (label !== undefined) query.push(`${name}=${encodeURIComponent(label)}`);
  const base = tracker.split("#", 1)[0];
  return `${base}${base.includes("?") ? "&" : "?"}${query.join("&")}`;
}

/** Throws SkimmerError `protocol` where the body is not bencoded. */
export function parseAnnounceAnswer(body: Buffer): AnnounceAnswer {
  const dict = decodeDict(body);
  const failure = words(dict, "failure reason");
  return {
    peers: failure === undefined ? readPeers(dict) : [],
    intervalS: count(dict, "interval"),
    minIntervalS: count(dict, "min interval"),
    seeds: count(dict, "complete"),
    leeches: count(dict, "incomplete"),
    trackerId: trackerId(dict),
    warning: words(dict, "warning message"),
    failure,
    retryInS: failure === undefined ? undefined : retryIn(dict),
  };
}

function readPeers(dict: BencodeDict): FoundPeer[] {
  const list = dictList(dict, "peers")?.slice(0, MOST_PEERS) ?? [];
  const compact = [V4_PEER_BYTES, V6_PEER_BYTES].flatMap((unitBytes) => {
    const bytes = dictBytes(dict, unitBytes === V4_PEER_BYTES ? "peers" : "peers6");
    return bytes === undefined ? [] : expand(bytes.subarray(0, MOST_PEERS * unitBytes), unitBytes);
  });
  return [...compact, ...list.flatMap(dictPeer)].slice(0, MOST_PEERS);
}

function dictPeer(value: BencodeValue): FoundPeer[] {
  if (!(value instanceof Map)) return [];
  const host = dictString(value, "ip");
  const port = dictInt(value, "port");
  const sane = host !== undefined && host.length <= MAX_HOST_LENGTH && port !== undefined && port > 0 && port < 65536;
  return sane ? [{ host, port }] : [];
}

function percent(hex: string): string {
  return hex.replace(/../g, "%$&");
}

function words(dict: BencodeDict, key: string): string | undefined {
  return dictString(dict, key)?.slice(0, MAX_WORDS_LENGTH);
}

function count(dict: BencodeDict, key: string): number | undefined {
  const value = dictInt(dict, key);
  return value === undefined || value < 0 ? undefined : value;
}

function trackerId(dict: BencodeDict): string | undefined {
  const id = dictString(dict, "tracker id");
  return id === undefined || id.length > MAX_TRACKER_ID_LENGTH ? undefined : id;
}

/** BEP 31: minutes, or the word "never". */
function retryIn(dict: BencodeDict): number | undefined {
  if (dictString(dict, "retry in") === "never") return Number.POSITIVE_INFINITY;
  const minutes = count(dict, "retry in");
  return minutes === undefined ? undefined : minutes * 60;
}
