/**
 * Reads the bodies of the three preheat APIs: our own, Dragonfly 1.0's and Dragonfly 2's. Decides.
 */
import type { Credentials } from "../../registry/credentials.ts";
import { type ImageTarget, parseBlobUrl, parseImageReference, parseManifestUrl } from "../../registry/image-reference.ts";
import { parsePlatformName, platformName } from "../../registry/manifest.ts";
import { fieldReader, type JsonObject } from "../../torrents/parse-fields.ts";
import { parseHeaders, parseTaskRequest } from "../../torrents/parse-task-request.ts";
import type { PreheatSpec } from "./preheat-job.ts";

const MOST_TEXT = 8192;
const MOST_PLATFORMS = 50;
const read = fieldReader("bad_request", "preheat");

/** Body of `POST /api/v1/preheats`. Throws SkimmerError `bad_request` or `unsupported_scheme`. */
export function parsePreheat(body: unknown): PreheatSpec {
  const fields = read.object(body, "body");
  const image = read.optionalText(fields.image, "image", MOST_TEXT);
  const url = read.optionalText(fields.url, "url", MOST_TEXT);
  if ((image === undefined) === (url === undefined)) return read.fail("body", "an object with either url or image");
  const named = url === undefined ? undefined : parseManifestUrl(url);
  if (image === undefined && named === undefined) return fileSpec(fields, readCredentials(fields));
  const target = named ?? parseImageReference(image as string, { insecure: read.flag(fields.insecure) });
  return imageSpec(target, { platforms: readPlatforms(fields.platforms), headers: fields.headers, credentials: readCredentials(fields) });
}

/** Body of Dragonfly 1.0's `POST /preheats`; what Harbor adds is not needed. */
export function parsePreheatV1(body: unknown): PreheatSpec {
  const fields = read.object(body, "body");
  return parseDragonfly(fields, { filter: fields.filter, type: fields.type });
}

/** Body of Dragonfly 2's `POST /oapi/v1/jobs`. */
export function parsePreheatV2(body: unknown): PreheatSpec {
  const job = read.object(body, "body");
  if (job.type !== "preheat") return read.fail("type", '"preheat"');
  const fields = read.object(job.args, "args");
  const filter = [fields.filteredQueryParams, fields.filtered_query_params, fields.filter].find((value) => value !== undefined);
  return parseDragonfly(fields, { filter, type: fields.type });
}

function parseDragonfly(fields: JsonObject, { filter, type }: { filter: unknown; type: unknown }): PreheatSpec {
  const url = read.text(fields.url, "url", MOST_TEXT);
  const credentials = readCredentials(fields);
  const headers = textsOnly(fields.headers);
  if (type === "file") {
    const names = (read.optionalText(filter, "filter", MOST_TEXT) ?? "").split("&").filter((name) => name !== "");
    const tag = fields.tag === "" ? undefined : fields.tag;
    return fileSpec({ url, headers, tag, filter: names.length === 0 ? undefined : names }, credentials);
  }
  if (type !== "image") return read.fail("type", '"image" or "file"');
  const platform = read.optionalText(fields.platform, "platform", 100);
  const platforms = platform === undefined || platform === "" ? undefined : [platform];
  return imageSpec(parseManifestUrl(url) ?? parseImageReference(url), { platforms: readPlatforms(platforms), headers, credentials });
}

function fileSpec(fields: JsonObject, credentials: Credentials | undefined): PreheatSpec {
  const { peer: _peer, ...request } = parseTaskRequest(fields);
  const blob = parseBlobUrl(request.url);
  // a layer is known by its digest; where the pull through the mirror looks for it
  const digest = request.digest ?? (blob?.reference.startsWith("sha256:") ? blob.reference : undefined);
  return { kind: "file", request: { ...request, digest }, credentials };
}

function imageSpec(
  target: ImageTarget,
  given: { platforms: readonly string[] | undefined; headers: unknown; credentials: Credentials | undefined },
): PreheatSpec {
  return { kind: "image", target, platforms: given.platforms, headers: parseHeaders(given.headers ?? {}), credentials: given.credentials };
}

function readPlatforms(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null || value === "all") return undefined;
  const names = typeof value === "string" ? [value] : read.list(value, "platforms", MOST_PLATFORMS);
  if (names.length === 0) return undefined;
  return names.map((name) => platformName(parsePlatformName(read.text(name, "platform", 100))));
}

function readCredentials(fields: JsonObject): Credentials | undefined {
  const username = read.optionalText(fields.username, "username", 1024) ?? "";
  const password = read.optionalText(fields.password, "password", MOST_TEXT) ?? "";
  return username === "" && password === "" ? undefined : { kind: "password", username, password };
}

/** Harbor's headers may hold anything; what is no text is none. */
function textsOnly(value: unknown): object {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === "string"));
}
