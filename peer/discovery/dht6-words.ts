/**
 * Messages of the DHT over IPv6 (BEP 32) as those over IPv4, and back: nodes and peers by the IPv4 addresses that stand for them. Decides.
 * What a message says of IPv4 is left out: that is another table.
 */
import { type BencodeValue, decodeDict, dictBytes, dictDict, dictList, dictString, encode } from "../../torrents/bencode.ts";
import { compact, expand } from "../engine/pex.ts";
import type { StandIns } from "./stand-ins.ts";

const ID_BYTES = 20;
const V4_BYTES = 6;
const V6_BYTES = 18;
/** Of a message, either way: nodes answer with 8 or 20. */
const MOST_NODES = 20;
const MOST_PEERS = 100;
const LIMITS = { maxDepth: 6, maxItems: 2000 };

/**
 * What came over IPv6, for who knows IPv4. Throws where it is no DHT message, or an answer from who was not `asked`: each address in it costs a
 * stand-in.
 */
export function asIfV4(datagram: Buffer, { standIns, asked }: { standIns: StandIns; asked: boolean }): Buffer {
  const message = decodeDict(datagram, LIMITS);
  const answer = dictDict(message, "r");
  if (answer === undefined) return datagram;
  if (!asked) throw new TypeError("an answer to no question");
  const nodes = dictBytes(answer, "nodes6");
  const values = dictList(answer, "values");
  answer.delete("nodes6");
  answer.delete("nodes");
  answer.delete("values");
  const standIn = (host: string): string | undefined => standIns.standInFor(host);
  if (nodes !== undefined) answer.set("nodes", convertNodes(nodes, V6_BYTES, standIn));
  if (values !== undefined) answer.set("values", convertPeers(values, V6_BYTES, standIn));
  return encode(message);
}

/** What who knows IPv4 says, as it goes over IPv6. */
export function asV6(datagram: Buffer, standIns: StandIns): Buffer {
  const message = decodeDict(datagram, LIMITS);
  const hostOf = (standIn: string): string | undefined => standIns.hostOf(standIn);
  const query = dictDict(message, "a");
  const name = dictString(message, "q");
  if (query !== undefined && (name === "find_node" || name === "get_peers")) {
    query.set("want", [Buffer.from("n6")]);
    return encode(message);
  }
  const answer = dictDict(message, "r");
  if (answer === undefined) return datagram;
  const nodes = dictBytes(answer, "nodes");
  const values = dictList(answer, "values");
  answer.delete("nodes");
  if (nodes !== undefined) answer.set("nodes6", convertNodes(nodes, V4_BYTES, hostOf));
  if (values !== undefined) answer.set("values", convertPeers(values, V4_BYTES, hostOf));
  return encode(message);
}

/** `bytes`: those of an address with its port. An address that `convert` does not know is left out, with its node. */
function convertNodes(nodes: Buffer, bytes: number, convert: (host: string) => string | undefined): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; at + ID_BYTES + bytes <= nodes.length && kept.length < MOST_NODES; at += ID_BYTES + bytes) {
    const address = convertAddress(nodes.subarray(at + ID_BYTES, at + ID_BYTES + bytes), bytes, convert);
    if (address !== undefined) kept.push(Buffer.concat([nodes.subarray(at, at + ID_BYTES), address]));
  }
  return Buffer.concat(kept);
}

function convertPeers(values: readonly BencodeValue[], bytes: number, convert: (host: string) => string | undefined): Buffer[] {
  return values
    .slice(0, MOST_PEERS)
    .flatMap((value) => (Buffer.isBuffer(value) && value.length === bytes ? (convertAddress(value, bytes, convert) ?? []) : []));
}

function convertAddress(address: Buffer, bytes: number, convert: (host: string) => string | undefined): Buffer | undefined {
  const [found] = expand(address, bytes);
  const host = found && convert(found.host);
  return host === undefined ? undefined : compact([{ host, port: found.port }]);
}
