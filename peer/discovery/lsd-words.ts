/**
 * Datagrams of local service discovery (BEP 14). Decides; never throws on what a remote sent.
 */
import { type InfoHash, parseInfoHash } from "../../torrents/ids.ts";

export const LSD_PORT = 6771;
export const LSD_GROUP_V4 = "239.192.152.143";
export const LSD_GROUP_V6 = "ff15::efc0:988f";

/** More in one datagram are passed over; so many fit into ours. */
export const MOST_HASHES = 20;
const MOST_BYTES = 1400;
const MOST_COOKIE_LENGTH = 64;

export interface LocalSearch {
  readonly port: number;
  readonly infoHashes: readonly InfoHash[];
  /** Tells our own datagrams from others'. */
  readonly cookie: string | undefined;
  /** It has pieces and says so because somebody searched: a header of ours, which others pass over. */
  readonly isAnswer: boolean;
}

/** At most MOST_HASHES info hashes. */
export function encodeSearch(search: LocalSearch & { group: string }): Buffer {
  const host = search.group.includes(":") ? `[${search.group}]` : search.group;
  const hashes = search.infoHashes.slice(0, MOST_HASHES).map((infoHash) => `Infohash: ${infoHash}\r\n`);
  const cookie = search.cookie === undefined ? "" : `cookie: ${search.cookie}\r\n`;
  const answer = search.isAnswer ? "answer: yes\r\n" : "";
  const head = `BT-SEARCH * HTTP/1.1\r\nHost: ${host}:${LSD_PORT}\r\nPort: ${search.port}\r\n`;
  return Buffer.from(`${head}${hashes.join("")}${cookie}${answer}\r\n\r\n`);
}

/** undefined: it is none. */
export function parseSearch(datagram: Buffer): LocalSearch | undefined {
  if (datagram.length > MOST_BYTES) return undefined;
  const [first, ...lines] = datagram.toString("latin1").split("\r\n");
  if (!/^BT-SEARCH \* HTTP\/1\.[01]$/i.test(first)) return undefined;
  let port = 0;
  let cookie: string | undefined;
  let isAnswer = false;
  const infoHashes = new Set<InfoHash>();
  for (const line of lines) {
    const [, name, value] = /^([a-z]{1,16}):[ \t]*(\S{1,128})[ \t]*$/i.exec(line) ?? [];
    const key = name?.toLowerCase();
    const infoHash = key === "infohash" && infoHashes.size < MOST_HASHES ? parseInfoHash(value) : undefined;
    if (infoHash !== undefined) infoHashes.add(infoHash);
    else if (key === "port" && /^\d{1,5}$/.test(value)) port = Number(value);
    else if (key === "cookie") cookie = value.slice(0, MOST_COOKIE_LENGTH);
    else if (key === "answer") isAnswer = value === "yes";
  }
  return port < 1 || port > 65535 || infoHashes.size === 0 ? undefined : { port, infoHashes: [...infoHashes], cookie, isAnswer };
}
