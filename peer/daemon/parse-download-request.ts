/**
 * The body of `POST /v1/downloads`, parsed once at the edge. Decides.
 * The socket is the user's own, but other programs than dfget write to it: every field is bounded.
 */
import { isAbsolute, normalize } from "node:path";
import { SkimmerError } from "../../system/errors.ts";
import { fieldReader, type JsonObject } from "../../torrents/parse-fields.ts";
import { checkUrl } from "../../torrents/parse-task-request.ts";
import {
  checkDigest,
  checkFilter,
  checkHeaders,
  checkMd5,
  checkPieceLength,
  checkRange,
  checkSupernode,
  checkTag,
} from "./check-request.ts";
import type { DownloadRequest } from "./daemon-api.ts";

const MAX_URL_LENGTH = 8192;
const MAX_PATH_LENGTH = 4096;
const MAX_SUPERNODES = 32;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const DEFAULT_MODE = 0o644;
const read = fieldReader("bad_request", "download request");

/** Throws SkimmerError `bad_request` or `unsupported_scheme`. */
export function parseDownloadRequest(body: unknown): DownloadRequest {
  const fields = read.object(body, "body");
  return {
    url: checkUrl(read.text(fields.url, "url", MAX_URL_LENGTH)),
    output: parseOutput(fields),
    outputMode: optionalInteger(fields.mode, "mode", 0o777) ?? DEFAULT_MODE,
    headers: checkHeaders(fields.headers),
    digest: optionalChecked(fields, "digest", checkDigest),
    md5: optionalChecked(fields, "md5", checkMd5),
    limitBytesPerSecond: optionalInteger(fields.limit, "limit", Number.MAX_SAFE_INTEGER) ?? 0,
    notbs: read.flag(fields.notbs),
    timeoutMs: optionalInteger(fields.timeoutMs, "timeoutMs", MAX_TIMEOUT_MS) ?? 0,
    supernodes: texts(fields.supernodes, "supernodes", MAX_SUPERNODES)?.map(checkSupernode),
    tag: optionalChecked(fields, "tag", checkTag),
    filter: optionalFilter(fields.filter),
    range: optionalChecked(fields, "range", (text) => (checkRange(text), text)),
    pieceLengthBytes: parsePieceLength(fields.pieceLength),
  };
}

function parseOutput(fields: JsonObject): string | undefined {
  const output = read.optionalText(fields.output, "output", MAX_PATH_LENGTH);
  if (output === undefined) return undefined;
  if (!isAbsolute(output) || output.includes("\0")) throw new SkimmerError("bad_request", `the output path "${output}" is not absolute`);
  return normalize(output);
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
