/**
 * What makes two requests the same task. Decides.
 *
 * The origin key names what is asked for; the task id adds what the origin said it is (validators, length) and, for
 * private content, a secret salt, so that the info hash itself becomes the capability.
 */
import { createHash, type Hash } from "node:crypto";
import { SkimmerError } from "../system/errors.ts";
import type { TaskId } from "./ids.ts";
import type { TaskRequest, Validators } from "./task-api.ts";

/** Canonical text of what is asked for: single flight and rendezvous hashing go by it. */
export function originKey(request: Pick<TaskRequest, "url" | "filter" | "tag" | "range" | "digest" | "pieceLengthBytes" | "tls">): string {
  return JSON.stringify([
    canonicalUrl(request.url, request.filter ?? []),
    request.tag ?? "",
    request.range ?? "",
    request.digest ?? "",
    request.pieceLengthBytes ?? 0,
    ...(request.tls === undefined ? [] : [request.tls.ca ?? "", request.tls.insecure === true]),
  ]);
}

/** A blob of the registry API (OCI distribution): `/v2/NAME/blobs/DIGEST`. */
const BLOB_PATH = /^\/v2\/[^?#]+\/blobs\/(sha256:[0-9a-f]{64})$/;

/**
 * Canonical text of the content: which seeder is responsible goes by it. As originKey, except for a registry's blob that is asked for
 * with its own digest: registry and digest then, so that all of its repositories share one swarm. The registry stays in,
 * because another one could send other bytes under the digest. Never for single flight: who may read one repository may not read another.
 */
export function contentKey(request: Parameters<typeof originKey>[0]): string {
  const blob = pinnedBlob(request);
  return blob === undefined ? originKey(request) : originKey({ ...request, ...blob, filter: undefined });
}

/**
 * The task's id: SHA-256 over origin key, length, validators and salt, each with its length in front.
 * Where the origin gave validators they identify the content, and the digest is only a check: callers with and
 * without one share a swarm. Where it gave none, the digest is all there is.
 */
export function taskIdOf(input: {
  request: Parameters<typeof originKey>[0];
  lengthBytes: number;
  validators: Validators;
  salt?: Buffer;
}): TaskId {
  const hash = createHash("sha256");
  const { etag = "", lastModified = "" } = isRegistryBlob(input.request) ? {} : input.validators;
  const request = etag + lastModified === "" ? input.request : { ...input.request, digest: undefined };
  for (const text of [contentKey(request), String(input.lengthBytes), etag, lastModified]) addField(hash, Buffer.from(text));
  addField(hash, input.salt ?? Buffer.alloc(0));
  return hash.digest("hex") as TaskId;
}

/** Whether a request asks for a registry's blob with its own digest. */
export function isRegistryBlob(request: { url: string; digest?: string }): boolean {
  return pinnedBlob(request) !== undefined;
}

function pinnedBlob({ url, digest }: { url: string; digest?: string }): { url: string } | undefined {
  if (digest === undefined || !URL.canParse(url)) return undefined;
  const { origin, pathname } = new URL(url);
  const [, named] = BLOB_PATH.exec(decodeColon(pathname)) ?? [];
  return named === digest ? { url: `${origin}/${digest}` } : undefined;
}

function decodeColon(path: string): string {
  return path.replace(/%3a/gi, ":");
}

/** Without fragment and filtered parameters; default ports go by URL parsing. Throws SkimmerError `bad_request`. */
function canonicalUrl(text: string, filter: readonly string[]): string {
  if (!URL.canParse(text)) throw new SkimmerError("bad_request", `cannot read the URL ${text}`);
  const url = new URL(text);
  url.hash = "";
  for (const name of filter) url.searchParams.delete(name);
  return url.href;
}

function addField(hash: Hash, bytes: Buffer): void {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  hash.update(length).update(bytes);
}
