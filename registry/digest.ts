/**
 * Digests of the OCI image specification: `sha256:HEX`, `sha512:HEX`. Decides.
 */
import { hash } from "node:crypto";

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Whether a text is a digest of an algorithm that we can check. */
export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

/** The digest of these bytes. */
export function digestOf(bytes: Buffer, algorithm: "sha256" | "sha512" = "sha256"): string {
  return `${algorithm}:${hash(algorithm, bytes, "hex")}`;
}

/** Whether the bytes have the digest. */
export function hasDigest(bytes: Buffer, digest: string): boolean {
  return isDigest(digest) && digestOf(bytes, digest.startsWith("sha512:") ? "sha512" : "sha256") === digest;
}
