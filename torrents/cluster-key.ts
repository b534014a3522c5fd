/**
 * The seeder cluster's Ed25519 key in its several forms. Decides; files are the caller's.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { SkimmerError } from "../system/errors.ts";

/** DER in front of a raw Ed25519 public key (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** A new private key. */
export function generateClusterKey(): KeyObject {
  return generateKeyPairSync("ed25519").privateKey;
}

/** The 32 raw bytes of the public half. */
export function publicKeyBytes(key: KeyObject): Buffer {
  const half = key.type === "private" ? createPublicKey(key) : key;
  return half.export({ type: "spki", format: "der" }).subarray(SPKI_PREFIX.length);
}

/** A public key from its 32 raw bytes. */
export function publicKeyFrom(bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, bytes]), format: "der", type: "spki" });
}

/** PKCS #8 PEM. */
export function encodePrivateKey(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }) as string;
}

/** Throws where the text is no PEM of an Ed25519 private key. */
export function parsePrivateKey(pem: string): KeyObject {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType === "ed25519") return key;
  throw new SkimmerError("bad_request", `a cluster key has to be Ed25519, this one is ${key.asymmetricKeyType}`);
}
