/**
 * The HTTP tracker protocol's words (BEP 3, 7, 23): the query of an announce and the reading of its answer. Decides.
 *
 * Own code and not bittorrent-tracker's client: importing that costs 150 ms and some 20 MB in every daemon (measured;
 * it brings WebRTC and WebSocket along), for what are these hundred lines.
 */
import { type BencodeValue, decodeDict, dictBytes, dictInt, dictList, dictString } from "../../torrents/bencode.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import type { HostLabels } from "../../torrents/task-api.ts";

export type AnnounceEvent = "started" | "completed" | "stopped";

export interface Announce {
  readonly infoHash: InfoHash;
  readonly peerId: PeerId;
  readonly port: number;
  readonly uploaded: number;
  readonly downloaded: number;
  readonly left: number;
  readonly numwant: number;
  readonly event?: AnnounceEvent;
  /** For our tracker's choice of peers; others pass over them. */
  readonly labels?: HostLabels;
  /** Per cent of the upload that is unused. */
  readonly spare?: number;
}

export interface AnnounceAnswer {
  readonly peers: readonly { readonly host: string; readonly port: number }[];
  readonly intervalS: number | undefined;
  readonly minIntervalS: number | undefined;
  /** The tracker's own words for a refusal. */
  readonly failure: string | undefined;
}

const MAX_PEERS = 500;
const MAX_FAILURE_LENGTH = 200;
const IPV4_ENTRY = 6;
const IPV6_ENTRY = 18;

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
  if (announce.spare !== undefined) query.push(`spare=${announce.spare}`);
  for (const [name, label] of Object.entries(announce.labels ?? {}))
    if (label !== undefined) query.push(`${name}=${encodeURIComponent(label)}`);
  return `${tracker}${tracker.includes("?") ? "&" : "?"}${query.join("&")}`;
}

/** Throws SkimmerError `protocol` where the body is not bencoded. */
export function parseAnnounceAnswer(body: Buffer): AnnounceAnswer {
  const dict = decodeDict(body);
  const list = dictList(dict, "peers");
  const compact = compactPeers(dictBytes(dict, "peers"), IPV4_ENTRY).concat(compactPeers(dictBytes(dict, "peers6"), IPV6_ENTRY));
  const peers = list === undefined ? compact : compact.concat(list.flatMap(dictPeer));
  return {
    peers: peers.filter((peer) => peer.port > 0).slice(0, MAX_PEERS),
    intervalS: dictInt(dict, "interval"),
    minIntervalS: dictInt(dict, "min interval"),
    failure: dictString(dict, "failure reason")?.slice(0, MAX_FAILURE_LENGTH),
  };
}

function percent(hex: string): string {
  return hex.replace(/../g, "%$&");
}

function compactPeers(bytes: Buffer | undefined, entryBytes: number): { host: string; port: number }[] {
  const peers: { host: string; port: number }[] = [];
  if (bytes === undefined) return peers;
  const end = Math.min(bytes.length, MAX_PEERS * entryBytes) - entryBytes;
  for (let at = 0; at <= end; at += entryBytes) {
    const address = bytes.subarray(at, at + entryBytes - 2);
    peers.push({ host: entryBytes === IPV4_ENTRY ? address.join(".") : ipv6Text(address), port: bytes.readUInt16BE(at + entryBytes - 2) });
  }
  return peers;
}

function ipv6Text(bytes: Buffer): string {
  const groups: string[] = [];
  for (let at = 0; at < bytes.length; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  return groups.join(":");
}

function dictPeer(value: BencodeValue): { host: string; port: number }[] {
  if (!(value instanceof Map)) return [];
  const host = dictString(value, "ip");
  const port = dictInt(value, "port");
  const sane = host !== undefined && host.length <= 255 && port !== undefined && port > 0 && port < 65536;
  return sane ? [{ host, port }] : [];
}
