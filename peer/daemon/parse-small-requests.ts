/**
 * Bodies of the API's smaller requests, parsed once at the edge. Decides.
 */
import { fieldReader, type JsonObject } from "../../torrents/parse-fields.ts";
import { checkUrl } from "../../torrents/parse-task-request.ts";
import { LEAST_PRIORITY } from "../engine/download-shares.ts";
import { checkHeaders } from "./check-request.ts";
import type { HostLimits, ListRequest, SeedRequest } from "./daemon-api.ts";
import { checkPath } from "./parse-download-request.ts";

const MAX_TEXT = 8192;
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
export function parseSeed(body: unknown): SeedRequest {
  return { path: checkPath(read.text(read.object(body, "body").path, "path", MAX_TEXT), "file") };
}

/** Throws SkimmerError `bad_request` or `unsupported_scheme`. */
export function parseListing(body: unknown): ListRequest {
  const fields = read.object(body, "body");
  return { url: checkUrl(read.text(fields.url, "url", MAX_TEXT)), headers: checkHeaders(fields.headers) };
}
