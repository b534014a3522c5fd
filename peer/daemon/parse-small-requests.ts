/**
 * Bodies of the API's smaller requests, parsed once at the edge. Decides.
 */
import { SkimmerError } from "../../system/errors.ts";
import { fieldReader, type JsonObject } from "../../torrents/parse-fields.ts";
import { checkUrl } from "../../torrents/parse-task-request.ts";
import { LEAST_PRIORITY } from "../engine/download-shares.ts";
import { checkHeaders, checkTorrentPieceLength, checkTracker, checkWebSeed } from "./check-request.ts";
import type { HostLimits, ListRequest, SeedRequest, TorrentWish } from "./daemon-api.ts";
import { checkPath, parseTorrent } from "./parse-download-request.ts";

const MAX_TEXT = 8192;
const MAX_NAME = 1024;
const MAX_URLS = 50;
const read = fieldReader("bad_request", "request");

/** Throws SkimmerError `bad_request`. */
export function parseLimits(body: unknown): HostLimits {
  const fields = read.object(body, "body");
  const rate = (name: string): number | undefined =>
    fields[name] === undefined ? undefined : read.integer(fields[name], name, { least: 0, most: Number.MAX_SAFE_INTEGER });
  return { upload: rate("upload"), download: rate("download"), backToSource: rate("backToSource"), priorities: parsePriorities(fields) };
}

function parsePriorities(fields: JsonObject): Record<string, number> | undefined {
  if (fields.priorities === undefined) return undefined;
  const given = read.object(fields.priorities, "priorities");
  const rates: Record<string, number> = {};
  for (let priority = 0; priority <= LEAST_PRIORITY; priority++) {
    const rate = given[priority];
    if (rate !== undefined) rates[priority] = read.integer(rate, `priorities.${priority}`, { least: 0, most: Number.MAX_SAFE_INTEGER });
  }
  return rates;
}

/** Throws SkimmerError `bad_request`. */
export function parseTorrentWish(body: unknown): TorrentWish {
  const torrent = parseTorrent(read.object(body, "body"));
  if (torrent === undefined) throw new SkimmerError("bad_request", "there is neither a .torrent file nor a magnet link");
  return { torrent };
}

/** Throws SkimmerError `bad_request`. */
export function parseSeed(body: unknown): SeedRequest {
  const fields = read.object(body, "body");
  const pieceLengthBytes =
    fields.pieceLength === undefined ? undefined : read.integer(fields.pieceLength, "pieceLength", { least: 0, most: 2 ** 30 });
  return {
    path: checkPath(read.text(fields.path, "path", MAX_TEXT), "file"),
    name: read.optionalText(fields.name, "name", MAX_NAME),
    pieceLengthBytes: pieceLengthBytes === undefined || pieceLengthBytes === 0 ? undefined : checkTorrentPieceLength(pieceLengthBytes),
    private: read.flag(fields.private),
    hybrid: read.flag(fields.hybrid),
    trackers: urls(fields.trackers, "trackers", checkTracker),
    webSeeds: urls(fields.webSeeds, "webSeeds", checkWebSeed),
  };
}

function urls(value: unknown, field: string, check: (text: string) => string): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  const texts = read.list(value, field, MAX_URLS).map((item) => check(read.text(item, field, MAX_TEXT)));
  return texts.length === 0 ? undefined : texts;
}

/** Throws SkimmerError `bad_request` or `unsupported_scheme`. */
export function parseListing(body: unknown): ListRequest {
  const fields = read.object(body, "body");
  return { url: checkUrl(read.text(fields.url, "url", MAX_TEXT)), headers: checkHeaders(fields.headers) };
}
