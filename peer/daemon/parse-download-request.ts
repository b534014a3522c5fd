/**
 * The body of `POST /v1/downloads`, parsed once at the edge. Decides.
 * The socket is the user's own, but other programs than dfget write to it: every field is bounded.
 */
import { isAbsolute, normalize } from "node:path";
import { SkimmerError } from "../../system/errors.ts";
import { type FileSelection, parseFileRanges } from "../../torrents/file-selection.ts";
import { fieldReader, type JsonObject } from "../../torrents/parse-fields.ts";
import { checkUrl } from "../../torrents/parse-task-request.ts";
import { LEAST_PRIORITY } from "../engine/download-shares.ts";
import {
  checkDigest,
  checkFilter,
  checkHeaders,
  checkMd5,
  checkPattern,
  checkPieceLength,
  checkRange,
  checkSupernode,
  checkTag,
  NORMAL_PRIORITY,
} from "./check-request.ts";
import type { DownloadRequest, FillWish, StreamWish } from "./daemon-api.ts";
import { readMagnet, readPeer, readTorrentFile, type TorrentSource } from "./torrent-source.ts";

const MAX_URL_LENGTH = 8192;
const MAX_PATH_LENGTH = 4096;
const MAX_SUPERNODES = 32;
const MAX_TOKEN_LENGTH = 200;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const MAX_PEERS = 100;
const MAX_PATTERNS = 100;
const MAX_TEXT_LENGTH = 100_000;
const MAX_TORRENT_LENGTH = 44 * 1024 * 1024;
const MAX_WORD_LENGTH = 64;
const DEFAULT_MODE = 0o644;
const read = fieldReader("bad_request", "download request");

/** Throws SkimmerError `bad_request` or `unsupported_scheme`. */
export function parseDownloadRequest(body: unknown): DownloadRequest {
  const fields = read.object(body, "body");
  const torrent = parseTorrent(fields);
  const pattern = checkPattern(read.optionalText(fields.pattern, "pattern", MAX_WORD_LENGTH) ?? "p2p");
  if (pattern === "source" && fields.notbs === true) throw new SkimmerError("bad_request", "pattern source and notbs forbid each other");
  if (fields.stream && fields.output) throw new SkimmerError("bad_request", "a stream has no output file");
  return {
    url: torrent === undefined ? checkUrl(read.text(fields.url, "url", MAX_URL_LENGTH)) : magnetOf(torrent),
    torrent,
    fill: parseFill(fields.fill),
    output: parseOutput(fields),
    outputFolder: parseOutputFolder(fields),
    files: parseFiles(fields.files),
    fillFromOutput: read.flag(fields.fillFromOutput),
    stream: parseStream(fields.stream),
    outputMode: optionalInteger(fields.mode, "mode", 0o777) ?? DEFAULT_MODE,
    headers: checkHeaders(fields.headers),
    digest: optionalChecked(fields, "digest", checkDigest),
    md5: optionalChecked(fields, "md5", checkMd5),
    limitBytesPerSecond: optionalInteger(fields.limit, "limit", Number.MAX_SAFE_INTEGER) ?? 0,
    // a torrent has no origin
    notbs: read.flag(fields.notbs) || torrent !== undefined,
    pattern,
    priority: optionalInteger(fields.priority, "priority", LEAST_PRIORITY) ?? NORMAL_PRIORITY,
    timeoutMs: optionalInteger(fields.timeoutMs, "timeoutMs", MAX_TIMEOUT_MS) ?? 0,
    supernodes: texts(fields.supernodes, "supernodes", MAX_SUPERNODES)?.map(checkSupernode),
    token: read.optionalText(fields.token, "token", MAX_TOKEN_LENGTH),
    tag: optionalChecked(fields, "tag", checkTag),
    filter: optionalFilter(fields.filter),
    range: optionalChecked(fields, "range", (text) => (checkRange(text), text)),
    pieceLengthBytes: parsePieceLength(fields.pieceLength),
  };
}

function parseOutput(fields: JsonObject): string | undefined {
  const output = read.optionalText(fields.output, "output", MAX_PATH_LENGTH);
  if (output === undefined) return undefined;
  return checkPath(output, "output");
}

function parseOutputFolder(fields: JsonObject): string | undefined {
  const folder = read.optionalText(fields.outputFolder, "outputFolder", MAX_PATH_LENGTH);
  return folder === undefined ? undefined : checkPath(folder, "output folder");
}

function parseFiles(value: unknown): FileSelection | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = read.object(value, "files");
  const ranges = read.optionalText(fields.numbers, "files.numbers", MAX_TEXT_LENGTH) ?? "";
  return {
    ranges: ranges === "" ? [] : parseFileRanges(ranges, 1),
    patterns: texts(fields.patterns, "files.patterns", MAX_PATTERNS) ?? [],
  };
}

/** An absolute path, without `..` in it. */
export function checkPath(path: string, what: string): string {
  if (!isAbsolute(path) || path.includes("\0")) throw new SkimmerError("bad_request", `the ${what} path "${path}" is not absolute`);
  return normalize(path);
}

/** A .torrent file as it is (base64), or a magnet link in place of the URL. */
export function parseTorrent(fields: JsonObject): TorrentSource | undefined {
  const file = read.optionalText(fields.torrent, "torrent", MAX_TORRENT_LENGTH);
  const peers = (texts(fields.peers, "peers", MAX_PEERS) ?? []).flatMap(readPeer);
  if (file !== undefined) return { ...readTorrentFile(Buffer.from(file, "base64")), peers };
  const url = read.optionalText(fields.url, "url", MAX_URL_LENGTH);
  if (url === undefined || !/^magnet:/i.test(url)) return undefined;
  const source = readMagnet(url);
  return { ...source, peers: [...source.peers, ...peers] };
}

function magnetOf({ hashes, name }: TorrentSource): string {
  return `magnet:?xt=urn:btih:${hashes[0]}&dn=${encodeURIComponent(name)}`;
}

function parseFill(value: unknown): FillWish | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = read.object(value, "fill");
  return { path: checkPath(read.text(fields.path, "fill.path", MAX_PATH_LENGTH), "fill"), trusted: read.flag(fields.trusted) };
}

function parseStream(value: unknown): StreamWish | undefined {
  if (value === undefined || value === null || value === false) return undefined;
  if (value === true) return { skipBytes: 0 };
  const fields = read.object(value, "stream");
  return {
    skipBytes: optionalInteger(fields.skip, "stream.skip", Number.MAX_SAFE_INTEGER) ?? 0,
    infoHash: read.optionalText(fields.infoHash, "stream.infoHash", MAX_WORD_LENGTH),
  };
}

function parsePieceLength(value: unknown): number | undefined {
  const bytes = optionalInteger(value, "pieceLength", Number.MAX_SAFE_INTEGER) ?? 0;
  return bytes === 0 ? undefined : checkPieceLength(bytes);
}

function optionalFilter(value: unknown): string[] | undefined {
  const names = texts(value, "filter", 1000);
  return names === undefined || names.length === 0 ? undefined : checkFilter(names);
}

function optionalChecked(fields: JsonObject, name: string, check: (text: string) => string): string | undefined {
  const text = read.optionalText(fields[name], name, MAX_PATH_LENGTH);
  return text === undefined || text === "" ? undefined : check(text);
}

function optionalInteger(value: unknown, field: string, most: number): number | undefined {
  return value === undefined || value === null ? undefined : read.integer(value, field, { least: 0, most });
}

function texts(value: unknown, field: string, most: number): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  return read.list(value, field, most).map((item) => read.text(item, field, MAX_PATH_LENGTH));
}
