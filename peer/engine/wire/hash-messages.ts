/**
 * hash request, hashes and hash reject (BEP 52) as bytes. Decides.
 */
import { SkimmerError } from "../../../system/errors.ts";
import { MESSAGE } from "./messages.ts";

const ROOT_BYTES = 32;
const HASH_BYTES = 32;
/** Root and four numbers. */
const RANGE_BYTES = ROOT_BYTES + 16;
/** BEP 52: more than 512 in one request should not be. */
export const MOST_HASHES = 512;
const MOST_UNCLES = 64;

/** Which hashes of which file. `base` counts layers from the leaves, 0, upwards. */
export interface HashRange {
  readonly root: Buffer;
  readonly base: number;
  readonly index: number;
  readonly length: number;
  readonly proofs: number;
}

/** A whole message; `hashes` only with MESSAGE.hashes. */
export function encodeHashMessage(id: number, range: HashRange, hashes: Buffer = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.allocUnsafe(5 + RANGE_BYTES + hashes.length);
  bytes.writeUInt32BE(bytes.length - 4, 0);
  bytes[4] = id;
  range.root.copy(bytes, 5);
  const numbers = [range.base, range.index, range.length, range.proofs];
  for (const [at, number] of numbers.entries()) bytes.writeUInt32BE(number, 5 + ROOT_BYTES + at * 4);
  hashes.copy(bytes, 5 + RANGE_BYTES);
  return bytes;
}

/** Reads a payload; root and hashes are views of it. Throws SkimmerError `protocol`. */
export function parseHashMessage(id: number, payload: Buffer): { range: HashRange; hashes: Buffer } {
  const hashes = payload.subarray(RANGE_BYTES);
  const most = id === MESSAGE.hashes ? (MOST_HASHES + MOST_UNCLES) * HASH_BYTES : 0;
  if (payload.length < RANGE_BYTES || hashes.length > most || hashes.length % HASH_BYTES !== 0) {
    throw new SkimmerError("protocol", `peer sent a hash message of ${payload.length} bytes`);
  }
  const [base, index, length, proofs] = [0, 4, 8, 12].map((at) => payload.readUInt32BE(ROOT_BYTES + at));
  return { range: { root: payload.subarray(0, ROOT_BYTES), base, index, length, proofs }, hashes };
}
