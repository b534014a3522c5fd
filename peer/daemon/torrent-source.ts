/**
 * Torrents that somebody else made: what a .torrent file or a magnet link says, as far as this host can download it.
 * Single files, v1, v2 and hybrid; everything else is refused with a clear word. Decides.
 */
import { SkimmerError } from "../../system/errors.ts";
import { type BencodeDict, decodeDict, dictBytes, dictDict, dictInt, dictList, dictString, encode } from "../../torrents/bencode.ts";
import { infoHashV1, infoHashV2, parseInfoV1, parseInfoV2 } from "../../torrents/final-torrents.ts";
import type { Geometry } from "../../torrents/geometry.ts";
import { type InfoHash, parseInfoHash } from "../../torrents/ids.ts";
import { safeName } from "../../torrents/safe-name.ts";

/** Bencoded info dicts with what belongs to them; a hybrid's one dict is both. */
export interface TorrentInfos {
  readonly infoV1?: Buffer;
  readonly infoV2?: Buffer;
  /** Of v2 with more than one piece. */
  readonly pieceLayer?: Buffer;
}

/** Which torrent is wanted, and where it may be found. */
export interface TorrentSource {
  /** Any of its info hashes; the first names it. */
  readonly hashes: readonly InfoHash[];
  readonly name: string;
  readonly trackers: readonly string[];
  readonly peers: readonly { readonly host: string; readonly port: number }[];
  /** undefined: only the hash is known, and the rest is to be asked of peers. */
  readonly infos?: TorrentInfos;
}

const MAX_TRACKERS = 20;
const MAX_PEERS = 100;
const MAX_TRACKER_LENGTH = 2048;
const V2 = 2;

/** Reads a .torrent file. Throws SkimmerError `bad_request`. */
export function readTorrentFile(bytes: Buffer): TorrentSource {
  const dict = asBadRequest(() => decodeDict(bytes), "this is no .torrent file");
  const info = dictDict(dict, "info");
  if (info === undefined) throw refuse("the .torrent file has no info", "Is it whole?");
  const raw = encode(info);
  // the info hash is over the bytes as they were written
  if (bytes.indexOf(raw) < 0) throw refuse("the .torrent file's info is not written as BEP 3 wants it", "Have it made anew.");
  const infos = withLayer(readInfo(raw), dict);
  return { hashes: hashesOf(infos), name: describeInfos(infos).name, trackers: trackersOf(dict), peers: [], infos };
}

/** Reads a magnet link. Throws SkimmerError `bad_request`. */
export function readMagnet(text: string): TorrentSource {
  const url = URL.parse(text);
  if (url?.protocol !== "magnet:") throw refuse("this is no magnet link", "It begins with magnet:?xt=urn:btih:");
  const { searchParams } = url;
  const hashes = searchParams.getAll("xt").flatMap(magnetHash);
  if (hashes.length === 0) throw refuse("the magnet link names no torrent", "It needs xt=urn:btih: or xt=urn:btmh:1220.");
  return {
    hashes,
    name: safeName(searchParams.get("dn") ?? hashes[0]),
    trackers: searchParams.getAll("tr").filter(isTracker).slice(0, MAX_TRACKERS),
    peers: searchParams.getAll("x.pe").flatMap(readPeer).slice(0, MAX_PEERS),
  };
}

/** The info dict that was got from peers, as what it is. Throws SkimmerError `bad_request` where we cannot use it. */
export function readInfo(raw: Buffer): TorrentInfos {
  const info = asBadRequest(() => decodeDict(raw), "the torrent's info is damaged");
  const isV2 = dictInt(info, "meta version") === V2;
  const isV1 = info.has("pieces");
  if (info.has("files") || (isV2 && (dictDict(info, "file tree")?.size ?? 0) > 1))
    throw refuse("torrents with several files cannot be downloaded yet", "Use another client for this one.");
  if (!isV1 && !isV2) throw refuse("the torrent is neither version 1 nor 2", "Use another client for this one.");
  return { ...(isV1 ? { infoV1: raw } : {}), ...(isV2 ? { infoV2: raw } : {}) };
}

/** Name and geometry, from whichever dict there is. Throws SkimmerError `bad_request`. */
export function describeInfos(infos: TorrentInfos): { name: string; geometry: Geometry } {
  const described = asBadRequest(
    () => (infos.infoV1 !== undefined ? parseInfoV1(infos.infoV1) : parseInfoV2(infos.infoV2 as Buffer)),
    "the torrent's info cannot be used",
  );
  if (infos.infoV1 === undefined && infos.pieceLayer === undefined && described.geometry.pieceCount > 1)
    throw refuse("the piece hashes of this v2 torrent are missing", "A magnet link has none: use a whole .torrent file.");
  return described;
}

/** All hashes of the torrent; the first is the name under which the engine knows it. */
export function hashesOf({ infoV1, infoV2 }: TorrentInfos): InfoHash[] {
  return [infoV2 && infoHashV2(infoV2), infoV1 && infoHashV1(infoV1)].filter((hash) => hash !== undefined);
}

function withLayer(infos: TorrentInfos, file: BencodeDict): TorrentInfos {
  const root = infos.infoV2 && asBadRequest(() => parseInfoV2(infos.infoV2 as Buffer), "the torrent's info cannot be used").piecesRoot;
  const layers = dictDict(file, "piece layers");
  const pieceLayer = root && layers && dictBytes(layers, root.toString("latin1"));
  return pieceLayer === undefined ? infos : { ...infos, pieceLayer: Buffer.from(pieceLayer) };
}

function trackersOf(file: BencodeDict): string[] {
  const tiers = dictList(file, "announce-list")?.flatMap((tier) => (Array.isArray(tier) ? tier : [])) ?? [];
  const texts = tiers.flatMap((item) => (Buffer.isBuffer(item) ? [item.toString("utf8")] : []));
  return [...new Set([dictString(file, "announce") ?? "", ...texts])].filter(isTracker).slice(0, MAX_TRACKERS);
}

function isTracker(text: string): boolean {
  return /^(https?|udp):\/\//i.test(text) && text.length <= MAX_TRACKER_LENGTH && URL.canParse(text);
}

function magnetHash(topic: string): InfoHash[] {
  const [, kind, value] = /^urn:(btih|btmh):([0-9a-z]+)$/i.exec(topic) ?? [];
  if (kind === undefined) return [];
  if (kind.toLowerCase() === "btmh") return /^1220[0-9a-f]{64}$/i.test(value) ? [value.slice(4, 44).toLowerCase() as InfoHash] : [];
  const hex = value.length === 32 ? base32ToHex(value) : value;
  const hash = parseInfoHash(hex);
  return hash === undefined ? [] : [hash];
}

function base32ToHex(text: string): string {
  const digits = [...text.toUpperCase()].map((digit) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(digit));
  if (digits.includes(-1)) return "";
  const bits = digits.map((digit) => digit.toString(2).padStart(5, "0")).join("");
  return (bits.match(/.{4}/g) ?? []).map((nibble) => Number.parseInt(nibble, 2).toString(16)).join("");
}

/** `host:port` or `[v6]:port` as a list of one; empty where it is neither. */
export function readPeer(text: string): { host: string; port: number }[] {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s/]{1,253})):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  return match === null || port < 1 || port > 65535 ? [] : [{ host: match[1] ?? match[2], port }];
}

function asBadRequest<T>(read: () => T, message: string): T {
  try {
    return read();
  } catch (cause) {
    throw new SkimmerError("bad_request", `${message}: ${(cause as Error).message}`, { cause });
  }
}

function refuse(message: string, hint: string): SkimmerError {
  return new SkimmerError("bad_request", message, { hint });
}
