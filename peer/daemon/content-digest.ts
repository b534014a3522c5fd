/**
 * SHA-256 and MD5 over a whole file, read in order. Drives.
 * Hashing 1 MiB takes about half a millisecond: the event loop never waits longer.
 */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { SkimmerError } from "../../system/errors.ts";

export type DigestName = "sha256" | "md5";
export type Digests = Readonly<Partial<Record<DigestName, string>>>;

const READ_BYTES = 1024 * 1024;

/** Hexadecimal digests of the file's first `lengthBytes` bytes. */
export async function digestFile(
  path: string,
  options: { names: readonly DigestName[]; lengthBytes: number; signal: AbortSignal },
): Promise<Digests> {
  const hashes = options.names.map((name) => ({ name, hash: createHash(name) }));
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(1, options.lengthBytes)));
  await using file = await open(path, "r");
  for (let offset = 0; offset < options.lengthBytes; ) {
    options.signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, options.lengthBytes - offset), offset);
    if (bytesRead === 0) throw new SkimmerError("internal", `cannot hash ${path}: it ends at byte ${offset} of ${options.lengthBytes}`);
    for (const { hash } of hashes) hash.update(buffer.subarray(0, bytesRead));
    offset += bytesRead;
  }
  return Object.fromEntries(hashes.map(({ name, hash }) => [name, hash.digest("hex")]));
}

/** Digests of content in memory. */
export function digestBytes(bytes: Buffer, names: readonly DigestName[]): Digests {
  return Object.fromEntries(names.map((name) => [name, createHash(name).update(bytes).digest("hex")]));
}

/** What a request wants checked: name and expected hexadecimal value. */
export function wantedDigests(request: { digest?: string; md5?: string }): Map<DigestName, string> {
  const wanted = new Map<DigestName, string>();
  if (request.digest !== undefined) wanted.set("sha256", request.digest.slice("sha256:".length));
  if (request.md5 !== undefined) wanted.set("md5", request.md5);
  return wanted;
}

/** Throws SkimmerError `digest_mismatch` where a wanted digest is not the content's. */
export function compareDigests(wanted: ReadonlyMap<DigestName, string>, found: Digests): void {
  for (const [name, value] of wanted) {
    if (found[name] === value) continue;
    throw new SkimmerError("digest_mismatch", `the content has ${name} ${found[name]}, not ${value}`, {
      hint: "Nothing was written. Check the digest, or whether the origin's file has changed.",
    });
  }
}
