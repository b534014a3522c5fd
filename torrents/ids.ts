/**
 * Branded identifiers. A value of one of these types was checked where it came in.
 * All are lower-case hexadecimal strings: 40 characters for info hashes and peer ids, 64 for tasks.
 */

export type InfoHash = string & { readonly __brand: "InfoHash" };
export type PeerId = string & { readonly __brand: "PeerId" };
export type TaskId = string & { readonly __brand: "TaskId" };

const HEX_40 = /^[0-9a-f]{40}$/;
const HEX_64 = /^[0-9a-f]{64}$/;

/** `text` as an info hash, or undefined where it is not 40 hex digits. */
export function parseInfoHash(text: string): InfoHash | undefined {
  const lower = text.toLowerCase();
  return HEX_40.test(lower) ? (lower as InfoHash) : undefined;
}

/** `text` as a peer id (20 bytes as hex), or undefined. */
export function parsePeerId(text: string): PeerId | undefined {
  const lower = text.toLowerCase();
  return HEX_40.test(lower) ? (lower as PeerId) : undefined;
}

/** `text` as a task id (SHA-256 as hex), or undefined. */
export function parseTaskId(text: string): TaskId | undefined {
  const lower = text.toLowerCase();
  return HEX_64.test(lower) ? (lower as TaskId) : undefined;
}

/** The hex id of 20 bytes read from the wire. The caller guarantees the length. */
export function infoHashOf(bytes: Buffer): InfoHash {
  return bytes.toString("hex") as InfoHash;
}
