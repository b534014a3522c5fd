/**
 * A registry's blob names its own digest: whether what was fetched has it. Drives one reading of the file.
 * Everything else has validators only, and nothing to check against.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { OriginRequest } from "../origin/types.ts";
import { isRegistryBlob } from "../torrents/task-identity.ts";

const READ_BYTES = 1024 * 1024;

/** The digest that a whole blob of a registry must have; undefined for anything else. */
export function blobDigest({ url, window }: OriginRequest): string | undefined {
  const digest = /(sha256)(?::|%3a)([0-9a-f]{64})$/i.exec(new URL(url).pathname);
  const named = digest === null ? undefined : `sha256:${digest[2]}`;
  return window === undefined && named !== undefined && isRegistryBlob({ url, digest: named }) ? named : undefined;
}

/** The file's digest. Rejects with the system's error, or the reason of `signal`. */
export async function fileDigest(path: string, lengthBytes: number, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  if (lengthBytes === 0) return `sha256:${hash.digest("hex")}`;
  for await (const chunk of createReadStream(path, { end: lengthBytes - 1, highWaterMark: READ_BYTES, signal }))
    hash.update(chunk as Buffer);
  return `sha256:${hash.digest("hex")}`;
}
