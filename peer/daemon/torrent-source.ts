/**
 * Torrents that somebody else made: what a .torrent file or a magnet link says, as this host downloads it. Decides.
 * Parsing is torrents/; here it becomes one shape, and what a user gave wrong becomes `bad_request`.
 */
import { SkimmerError } from "../../system/errors.ts";
import type { FileRange } from "../../torrents/file-selection.ts";
import { infoHashV1, infoHashV2 } from "../../torrents/final-torrents.ts";
import type { Geometry } from "../../torrents/geometry.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import { parseMagnet } from "../../torrents/magnet-link.ts";
import { piecesRoot } from "../../torrents/merkle.ts";
import { infoVersions, parseInfos } from "../../torrents/parse-info.ts";
import { parseTorrentFile, type TorrentFileFacts } from "../../torrents/parse-torrent-file.ts";
import type { TorrentLayout } from "../../torrents/torrent-layout.ts";
import { layerFiles } from "../engine/layer-store.ts";

/** Bencoded info dicts with what belongs to them; a hybrid's one dict is both. */
export interface TorrentInfos {
  readonly infoV1?: Buffer;
  readonly infoV2?: Buffer;
  /** Of v2: the layers of all files in a row, 32 bytes a piece; absent: peers are asked. */
  readonly pieceLayer?: Buffer;
}

/** Which torrent is wanted, and where it may be found. */
export interface TorrentSource {
  /** Any of its info hashes; the first names it. */
  readonly hashes: readonly InfoHash[];
  readonly name: string;
  /** In tiers (BEP 12). */
  readonly trackers: readonly (readonly string[])[];
  readonly peers: readonly { readonly host: string; readonly port: number }[];
  /** HTTP servers that have the content (BEP 19). */
  readonly webSeeds?: readonly string[];
  /** Nodes of the DHT, `host:port`. */
  readonly dhtNodes?: readonly string[];
  /** Only these files, where the link says so (BEP 53); empty or absent: all. */
  readonly selected?: readonly FileRange[];
  /** undefined: only the hash is known, and the rest is to be asked of peers. */
  readonly infos?: TorrentInfos;
}

export interface DescribedTorrent {
  readonly name: string;
  readonly geometry: Geometry;
  readonly layout: TorrentLayout;
  readonly isPrivate: boolean;
}

const MAX_TRACKERS = 100;
const MAX_PEERS = 100;
const MAX_WEB_SEEDS = 100;
const MAX_LINK_LENGTH = 2048;

/** Reads a .torrent file. Throws SkimmerError `bad_request`. */
export function readTorrentFile(bytes: Buffer): TorrentSource {
  const file = asBadRequest(() => parseTorrentFile(bytes), "this is no .torrent file");
  const infos = withLayers(readInfo(file.info), file);
  return {
    hashes: hashesOf(infos),
    name: describeInfos(infos).name,
    trackers: boundedTiers(file.tiers),
    peers: [],
    webSeeds: file.webSeeds.filter(isWebSeed).slice(0, MAX_WEB_SEEDS),
    dhtNodes: file.dhtNodes.filter((node) => readPeer(node).length > 0),
    infos,
  };
}

/** Reads a magnet link. Throws SkimmerError `bad_request`. */
export function readMagnet(text: string): TorrentSource {
  const { hashes, name, trackers, peers, webSeeds, selected } = parseMagnet(text);
  return {
    hashes,
    name,
    // a link has no tiers: its trackers are equally good, each on its own
    trackers: boundedTiers(trackers.map((tracker) => [tracker])),
    peers: peers.flatMap(readPeer).slice(0, MAX_PEERS),
    webSeeds: webSeeds.filter(isWebSeed).slice(0, MAX_WEB_SEEDS),
    selected,
  };
}

/** The info dict that was got from peers, as what it is. Throws SkimmerError `bad_request` where we cannot use it. */
export function readInfo(raw: Buffer): TorrentInfos {
  const { isV1, isV2 } = asBadRequest(() => infoVersions(raw), DAMAGED);
  if (!isV1 && !isV2) throw new SkimmerError("bad_request", "the torrent is neither version 1 nor 2", { hint: "Is the file whole?" });
  const infos = { ...(isV1 ? { infoV1: raw } : {}), ...(isV2 ? { infoV2: raw } : {}) };
  describeInfos(infos);
  return infos;
}

const DAMAGED = "the torrent's info cannot be used";

/** Reading 50,000 files takes 0.1 s, and is asked for several times on the way from a .torrent to its task. */
const described = new WeakMap<Buffer, { readonly infos: TorrentInfos; readonly torrent: DescribedTorrent }>();

/** Name, geometry and files. Throws SkimmerError `bad_request`. */
export function describeInfos(infos: TorrentInfos): DescribedTorrent {
  const key = infos.infoV1 ?? infos.infoV2;
  const known = key && described.get(key);
  if (known?.infos.infoV1 === infos.infoV1 && known?.infos.infoV2 === infos.infoV2 && known !== undefined) return known.torrent;
  const { layout, isPrivate } = asBadRequest(() => parseInfos(infos), DAMAGED);
  const torrent = { name: layout.name, geometry: layout.geometry, layout, isPrivate };
  if (key !== undefined) described.set(key, { infos: { infoV1: infos.infoV1, infoV2: infos.infoV2 }, torrent });
  return torrent;
}

/** All hashes of the torrent; the first is the name under which the engine knows it. */
export function hashesOf({ infoV1, infoV2 }: TorrentInfos): InfoHash[] {
  return [infoV2 && infoHashV2(infoV2), infoV1 && infoHashV1(infoV1)].filter((hash) => hash !== undefined);
}

/** `host:port` or `[v6]:port` as a list of one; empty where it is neither. */
export function readPeer(text: string): { host: string; port: number }[] {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s/]{1,253})):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  return match === null || port < 1 || port > 65535 ? [] : [{ host: match[1] ?? match[2], port }];
}

/** The layers in the order of the pieces, where all files have theirs; one that does not lead to its file's root counts as missing. */
function withLayers(infos: TorrentInfos, file: TorrentFileFacts): TorrentInfos {
  if (infos.infoV2 === undefined) return infos;
  const parts = layerFiles(describeInfos(infos).layout).map(({ piecesRoot: root, geometry }) => {
    if (geometry.pieceCount === 1) return root;
    const layer = file.layerOf(root);
    return layer?.length === geometry.pieceCount * root.length && piecesRoot(layer, geometry).equals(root) ? layer : undefined;
  });
  const whole = parts.filter((part) => part !== undefined);
  return whole.length < parts.length || whole.length === 0 ? infos : { ...infos, pieceLayer: Buffer.concat(whole) };
}

function boundedTiers(tiers: readonly (readonly string[])[]): string[][] {
  const known = new Set<string>();
  const bounded = tiers.map((tier) =>
    tier.filter((url) => {
      if (!isTracker(url) || known.has(url) || known.size >= MAX_TRACKERS) return false;
      known.add(url);
      return true;
    }),
  );
  return bounded.filter((tier) => tier.length > 0);
}

function isTracker(text: string): boolean {
  return /^(https?|udp|wss?):\/\//i.test(text) && text.length <= MAX_LINK_LENGTH && URL.canParse(text);
}

function isWebSeed(text: string): boolean {
  return /^https?:\/\//i.test(text) && text.length <= MAX_LINK_LENGTH && URL.canParse(text);
}

function asBadRequest<T>(read: () => T, message: string): T {
  try {
    return read();
  } catch (cause) {
    throw new SkimmerError("bad_request", `${message}: ${(cause as Error).message}`, { cause });
  }
}
