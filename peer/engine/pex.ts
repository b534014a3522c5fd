/**
 * Peer exchange (BEP 11): addresses as compact bytes. Decides.
 */
import { isIPv4, isIPv6 } from "node:net";
import { decodeDict, dictBytes, encode } from "../../torrents/bencode.ts";

export interface PexAddress {
  readonly host: string;
  readonly port: number;
}

/** Most addresses believed or told in one message. */
export const MOST_ADDRESSES = 50;
const V4_BYTES = 6;
const V6_BYTES = 18;

/** Payload that tells of newly connected and gone peers; undefined where there is nothing to tell. */
export function encodePex(change: { added: readonly PexAddress[]; dropped: readonly PexAddress[] }): Buffer | undefined {
  if (change.added.length + change.dropped.length === 0) return undefined;
  const added = change.added.slice(0, MOST_ADDRESSES);
  const dropped = change.dropped.slice(0, MOST_ADDRESSES);
  const v4 = added.filter(({ host }) => isIPv4(host));
  const v6 = added.filter(({ host }) => isIPv6(host));
  return encode({
    added: compact(v4),
    "added.f": Buffer.alloc(v4.length),
    added6: compact(v6),
    "added6.f": Buffer.alloc(v6.length),
    dropped: compact(dropped.filter(({ host }) => isIPv4(host))),
    dropped6: compact(dropped.filter(({ host }) => isIPv6(host))),
  });
}

/** Peers that a message adds, at most MOST_ADDRESSES. Throws SkimmerError `protocol`. */
export function parsePex(payload: Buffer): PexAddress[] {
  const dict = decodeDict(payload);
  const v4 = expand(dictBytes(dict, "added") ?? Buffer.alloc(0), V4_BYTES);
  const v6 = expand(dictBytes(dict, "added6") ?? Buffer.alloc(0), V6_BYTES);
  return [...v4, ...v6].slice(0, MOST_ADDRESSES);
}

/** Compact peers (BEP 23, BEP 7) as addresses; `unitBytes` is 6 or 18. Port 0 and a cut tail are left out. */
export function expand(bytes: Buffer, unitBytes: number): PexAddress[] {
  const addresses: PexAddress[] = [];
  for (let at = 0; at + unitBytes <= bytes.length; at += unitBytes) {
    const port = bytes.readUInt16BE(at + unitBytes - 2);
    const address = bytes.subarray(at, at + unitBytes - 2);
    if (port > 0) addresses.push({ host: unitBytes === V4_BYTES ? address.join(".") : hostV6(address), port });
  }
  return addresses;
}

/** Addresses as compact bytes. */
export function compact(addresses: readonly PexAddress[]): Buffer {
  return Buffer.concat(
    addresses.map(({ host, port }) =>
      Buffer.concat([isIPv4(host) ? Buffer.from(host.split(".").map(Number)) : bytesV6(host), Buffer.from([port >> 8, port & 0xff])]),
    ),
  );
}

/** Sixteen bytes in words, the short way. */
export function hostV6(bytes: Buffer): string {
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** An IPv6 address in words as sixteen bytes. */
export function bytesV6(host: string): Buffer {
  // the URL parser writes an embedded IPv4 address as groups
  const [head, tail] = new URL(`http://[${host.split("%")[0]}]`).hostname.slice(1, -1).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const middle = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0");
  const bytes = Buffer.alloc(16);
  const groups = [...left, ...middle, ...right].slice(0, 8);
  for (const [at, group] of groups.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16) & 0xffff, at * 2);
  return bytes;
}
