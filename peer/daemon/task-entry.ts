/**
 * What the host remembers of a task beside the engine's own files: `task.json` in the task's folder. Decides.
 * The engine knows pieces and info dicts; this knows URL, validators, digests and whether the file has a second name.
 */
import type { InfoHash } from "../../torrents/ids.ts";
import { parseInfoHash } from "../../torrents/ids.ts";
import { fieldReader, type JsonObject } from "../../torrents/parse-fields.ts";
import { MAX_FILES } from "../../torrents/parse-info.ts";
import { parseValidators } from "../../torrents/parse-task-answer.ts";
import type { Validators } from "../../torrents/task-api.ts";
import type { FoundPeer } from "../discovery/announce.ts";
import type { Tiers } from "../discovery/tracker-tiers.ts";

/** A data file that is also somebody's output. Changed since: it is theirs, and no longer ours to serve. */
export interface LinkedFile {
  readonly path: string;
  readonly mtimeNs: string;
  readonly lengthBytes: number;
}

export interface TaskEntry {
  readonly infoHash: InfoHash;
  readonly infoHashV1?: InfoHash;
  readonly infoHashV2?: InfoHash;
  readonly url: string;
  /** What was asked for, in the canonical words of task-identity.ts. */
  readonly originKey: string;
  readonly name: string;
  readonly lengthBytes: number;
  readonly pieceLengthBytes: number;
  /** Where it does not follow from the two lengths: torrents of several files. */
  readonly pieceCount?: number;
  readonly validators: Validators;
  /** Bencoded live info dict, base64; undefined: somebody else's torrent, whose info dicts are in a file beside (task-index.ts). */
  readonly liveInfo?: string;
  readonly trackers: Tiers;
  /** Only its trackers may know of it; undefined: not noted. */
  readonly private?: boolean;
  /** HTTP servers that have the content of somebody else's torrent (BEP 19). */
  readonly webSeeds?: readonly string[];
  /** Nodes of the DHT that the torrent names, `host:port`. */
  readonly dhtNodes?: readonly string[];
  /** Who was connected when it was last open: to begin with where nobody tells of others. */
  readonly knownPeers?: readonly FoundPeer[];
  /** True where this host made the torrent itself, with its own key. */
  readonly local: boolean;
  /** True where nothing tells whether the content is still the same: never used by a second request. */
  readonly volatile: boolean;
  readonly complete: boolean;
  /** Milliseconds since 1970. */
  readonly lastUsedAtMs: number;
  readonly linked?: LinkedFile;
  /** The same of a torrent of several files, and of files that are shared where they are. */
  readonly watched?: readonly LinkedFile[];
  /** Shared where it is: the file, or the folder of files. */
  readonly inPlace?: string;
  /** The other one of two torrents of the same files: it goes when this one goes. */
  readonly twin?: InfoHash;
  /** Never evicted. */
  readonly pinned?: boolean;
  /** Where its bytes came from in all lives of the daemon; `cache` is not counted. */
  readonly from?: Readonly<Record<"origin" | "seeder" | "peers", number>>;
  /** Digests of the whole content, once computed; hexadecimal. */
  readonly sha256?: string;
  readonly md5?: string;
}

const MAX_TEXT = 1024 * 1024;
const MAX_TRACKERS = 100;
const MAX_WEB_SEEDS = 100;
const MAX_NODES = 100;
export const MAX_KNOWN_PEERS = 20;
const MAX_URL = 2048;
const read = fieldReader("internal", "task.json");

/** Reads `task.json`; throws SkimmerError `internal` where it is damaged. */
export function parseTaskEntry(text: string): TaskEntry {
  const fields = read.object(JSON.parse(text), "entry");
  const most = { least: 0, most: Number.MAX_SAFE_INTEGER };
  return {
    infoHash: parseInfoHash(read.text(fields.infoHash, "infoHash", 40)) ?? read.fail("infoHash", "40 hex digits"),
    infoHashV1: optionalHash(fields.infoHashV1),
    infoHashV2: optionalHash(fields.infoHashV2),
    url: read.text(fields.url, "url", MAX_TEXT),
    originKey: read.text(fields.originKey, "originKey", MAX_TEXT),
    name: read.text(fields.name, "name", 1024),
    lengthBytes: read.integer(fields.lengthBytes, "lengthBytes", most),
    pieceLengthBytes: read.integer(fields.pieceLengthBytes, "pieceLengthBytes", { ...most, least: 1 }),
    validators: parseValidators(fields.validators),
    liveInfo: read.optionalText(fields.liveInfo, "liveInfo", MAX_TEXT),
    trackers: read.list(fields.trackers, "trackers", MAX_TRACKERS).map(parseTier),
    private: fields.private === undefined ? undefined : read.flag(fields.private),
    webSeeds: optionalTexts(fields.webSeeds, "webSeeds", MAX_WEB_SEEDS),
    dhtNodes: optionalTexts(fields.dhtNodes, "dhtNodes", MAX_NODES),
    knownPeers: fields.knownPeers === undefined ? undefined : read.list(fields.knownPeers, "knownPeers", MAX_KNOWN_PEERS).map(parsePeer),
    local: read.flag(fields.local),
    volatile: read.flag(fields.volatile),
    complete: read.flag(fields.complete),
    lastUsedAtMs: read.integer(fields.lastUsedAtMs, "lastUsedAtMs", most),
    pieceCount: fields.pieceCount === undefined ? undefined : read.integer(fields.pieceCount, "pieceCount", most),
    linked: fields.linked === undefined ? undefined : parseLinked(read.object(fields.linked, "linked")),
    watched:
      fields.watched === undefined
        ? undefined
        : read.list(fields.watched, "watched", MAX_FILES).map((item) => parseLinked(read.object(item, "watched"))),
    inPlace: read.optionalText(fields.inPlace, "inPlace", 4096),
    twin: optionalHash(fields.twin),
    pinned: read.flag(fields.pinned),
    from: fields.from === undefined ? undefined : parseFrom(read.object(fields.from, "from")),
    sha256: read.optionalText(fields.sha256, "sha256", 64),
    md5: read.optionalText(fields.md5, "md5", 32),
  };
}

/** A tracker, or several of one tier. */
function parseTier(value: unknown): string | string[] {
  if (typeof value === "string") return read.text(value, "tracker", MAX_URL);
  return read.list(value, "tier", MAX_TRACKERS).map((url) => read.text(url, "tracker", MAX_URL));
}

function optionalTexts(value: unknown, field: string, most: number): string[] | undefined {
  return value === undefined ? undefined : read.list(value, field, most).map((text) => read.text(text, field, MAX_URL));
}

function parsePeer(value: unknown): FoundPeer {
  const peer = read.object(value, "knownPeer");
  return { host: read.text(peer.host, "knownPeer.host", 255), port: read.integer(peer.port, "knownPeer.port", { least: 1, most: 65535 }) };
}

function parseLinked(fields: JsonObject): LinkedFile {
  return {
    path: read.text(fields.path, "linked.path", 4096),
    mtimeNs: read.text(fields.mtimeNs, "linked.mtimeNs", 32),
    lengthBytes: read.integer(fields.lengthBytes, "linked.lengthBytes", { least: 0, most: Number.MAX_SAFE_INTEGER }),
  };
}

function parseFrom(fields: JsonObject): TaskEntry["from"] {
  const bytes = (name: string): number => read.integer(fields[name], `from.${name}`, { least: 0, most: Number.MAX_SAFE_INTEGER });
  return { origin: bytes("origin"), seeder: bytes("seeder"), peers: bytes("peers") };
}

function optionalHash(value: unknown): InfoHash | undefined {
  return typeof value === "string" ? parseInfoHash(value) : undefined;
}
