/**
 * A registry's blob names its own digest: whether what was fetched has it. Drives one reading of the file.
 * Everything else has validators only, and nothing to check against.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { OriginRequest } from "../origin/types.ts";

const READ_BYTES = 1024 * 1024;
/** `/v2/NAME/blobs/DIGEST` of the registry API (OCI distribution). */
const BLOB_PATH = /^\/v2\/.+\/blobs\/(?:(sha256)(?::|%3[aA])([0-9a-f]{64})|(sha512)(?::|%3[aA])([0-9a-f]{128}))$/;

/** What a content is to be hashed with, and what that gives. */
export interface NamedDigest {
  readonly algorithm: "sha256" | "sha512";
  readonly hex: string;
}

/** The digest that a whole blob of a registry must have; undefined for anything else. */
export function blobDigest({ url, window }: OriginRequest): NamedDigest | undefined {
  const [, sha256, short, sha512, long] = BLOB_PATH.exec(new URL(url).pathname) ?? [];
  if (window !== undefined || (sha256 ?? sha512) === undefined) return undefined;
  return sha256 === undefined ? { algorithm: "sha512", hex: long } : { algorithm: "sha256", hex: short };
}

/** The file's digest in hexadecimal. Rejects with the system's error, or the reason of `signal`. */
export async function fileDigest(
  file: { readonly path: string; readonly lengthBytes: number },
  algorithm: NamedDigest["algorithm"],
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash(algorithm);
  if (file.lengthBytes === 0) return hash.digest("hex");
  for await (const chunk of createReadStream(file.path, { end: file.lengthBytes - 1, highWaterMark: READ_BYTES, signal }))
    hash.update(chunk as Buffer);
  return hash.digest("hex");
}
