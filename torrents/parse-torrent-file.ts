/**
 * .torrent files that somebody else made: the info dict as it was written, and what stands around it: trackers in tiers (BEP 12), web
 * seeds (BEP 19), nodes of the DHT (BEP 5), piece layers (BEP 52). Decides. Everything is bounded; what makes no sense around the info is left out.
 */
import { SkimmerError } from "../system/errors.ts";
import { type BencodeDict, type BencodeValue, decodeDict, dictBytes, dictDict, dictList, dictString, rawValue } from "./bencode.ts";
import { INFO_LIMITS } from "./parse-info.ts";

export interface TorrentFileFacts {
  /** The bytes that the info hash is over. */
  readonly info: Buffer;
  readonly tiers: readonly (readonly string[])[];
  readonly webSeeds: readonly string[];
  /** `host:port`. */
  readonly dhtNodes: readonly string[];
  /** A file's layer by its pieces root. */
  layerOf(piecesRoot: Buffer): Buffer | undefined;
}

const MAX_LINKS = 100;
const MAX_LINK_LENGTH = 2048;

/** Throws SkimmerError `protocol`. */
export function parseTorrentFile(bytes: Buffer): TorrentFileFacts {
  const dict = decodeDict(bytes, INFO_LIMITS);
  const info = rawValue(bytes, "info", INFO_LIMITS);
  if (info === undefined || dictDict(dict, "info") === undefined) throw new SkimmerError("protocol", "the .torrent file has no info");
  const layers = dictDict(dict, "piece layers");
  return {
    info: Buffer.from(info),
    tiers: tiersOf(dict),
    webSeeds: texts(dict.get("url-list")),
    dhtNodes: nodesOf(dict),
    layerOf: (piecesRoot) => layers && dictBytes(layers, piecesRoot.toString("latin1")),
  };
}

/** `announce` counts only where there is no `announce-list` (BEP 12). */
function tiersOf(dict: BencodeDict): string[][] {
  const lists = (dictList(dict, "announce-list") ?? []).slice(0, MAX_LINKS).map(texts);
  const tiers = lists.filter((tier) => tier.length > 0);
  const announce = dictString(dict, "announce");
  return tiers.length > 0 ? tiers : announce === undefined || announce === "" ? [] : [[announce]];
}

function texts(value: BencodeValue | undefined): string[] {
  const items = Array.isArray(value) ? value : value === undefined ? [] : [value];
  const found = items.slice(0, MAX_LINKS).flatMap((item) => (Buffer.isBuffer(item) ? [item.toString("utf8").trim()] : []));
  return [...new Set(found)].filter((text) => text !== "" && text.length <= MAX_LINK_LENGTH);
}

function nodesOf(dict: BencodeDict): string[] {
  return (dictList(dict, "nodes") ?? []).slice(0, MAX_LINKS).flatMap((node) => {
    const [host, port] = Array.isArray(node) ? node : [];
    if (!Buffer.isBuffer(host) || typeof port !== "number" || host.length > 255) return [];
    const name = host.toString("utf8");
    return [name.includes(":") ? `[${name}]:${port}` : `${name}:${port}`];
  });
}
