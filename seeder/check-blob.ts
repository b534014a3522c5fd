/**
 * A registry's blob names its own digest: whether what was fetched has it. Drives one reading of the file.
 * Everything else has validators only, and nothing to check against.
 */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { OriginRequest } from "../origin/types.ts";

const READ_BYTES = 256 * 1024;
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
  await using handle = await open(file.path);
  // one buffer for all of it: with a new one for each part the collector of garbage went through the whole heap for every few of them
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (let at = 0; at < file.lengthBytes; ) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, Math.min(READ_BYTES, file.lengthBytes - at), at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest("hex");
}
