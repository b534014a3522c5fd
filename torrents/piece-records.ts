/**
 * Piece records: which Merkle root a piece has, signed by the seeder cluster in groups. Decides.
 *
 * One signature covers all pieces that were hashed within a few milliseconds: checking one costs 130 µs, which for
 * 400 pieces at each of many hosts would be a good part of a download's CPU time.
 */
import { type KeyObject, sign, verify } from "node:crypto";
import { SkimmerError } from "../system/errors.ts";
import type { InfoHash } from "./ids.ts";

export interface PieceRecord {
  readonly index: number;
  /** 32 bytes. */
  readonly root: Buffer;
}

export interface RecordGroup {
  readonly records: readonly PieceRecord[];
  /** Ed25519, 64 bytes. */
  readonly signature: Buffer;
}

export const MAX_GROUP_RECORDS = 64;
const CONTEXT = Buffer.from("skimmer piece records 1\n");
const ROOT_BYTES = 32;
const RECORD_BYTES = 4 + ROOT_BYTES;
const SIGNATURE_BYTES = 64;
const COUNT_BYTES = 2;

/** Signs 1–64 records for the live torrent. */
export function signGroup(input: { infoHash: InfoHash; records: readonly PieceRecord[]; privateKey: KeyObject }): RecordGroup {
  return { records: input.records, signature: sign(null, signedBytes(input.infoHash, input.records), input.privateKey) };
}

/** Whether the cluster signed exactly these records for this live torrent. */
export function verifyGroup(input: { infoHash: InfoHash; group: RecordGroup; publicKey: KeyObject }): boolean {
  return verify(null, signedBytes(input.infoHash, input.group.records), input.publicKey, input.group.signature);
}

/** count u16, records (index u32, root), signature. */
export function encodeGroup(group: RecordGroup): Buffer {
  const count = Buffer.alloc(COUNT_BYTES);
  count.writeUInt16BE(group.records.length);
  return Buffer.concat([count, encodeRecordList(group.records), group.signature]);
}

/** Reads groups that fill `bytes`; copies them out of it. Throws SkimmerError `protocol`. */
export function decodeGroups(bytes: Buffer): RecordGroup[] {
  const groups: RecordGroup[] = [];
  const own = Buffer.from(bytes);
  let at = 0;
  while (at < own.length) {
    const count = own.length - at < COUNT_BYTES ? 0 : own.readUInt16BE(at);
    const end = at + COUNT_BYTES + count * RECORD_BYTES + SIGNATURE_BYTES;
    if (count === 0 || count > MAX_GROUP_RECORDS || end > own.length) throw new SkimmerError("protocol", "piece record group is malformed");
    const records: PieceRecord[] = [];
    for (let record = at + COUNT_BYTES; record < end - SIGNATURE_BYTES; record += RECORD_BYTES) {
      records.push({ index: own.readUInt32BE(record), root: own.subarray(record + 4, record + RECORD_BYTES) });
    }
    groups.push({ records, signature: own.subarray(end - SIGNATURE_BYTES, end) });
    at = end;
  }
  return groups;
}

function encodeRecordList(records: readonly PieceRecord[]): Buffer {
  const bytes = Buffer.allocUnsafe(records.length * RECORD_BYTES);
  let at = 0;
  for (const record of records) {
    bytes.writeUInt32BE(record.index, at);
    record.root.copy(bytes, at + 4);
    at += RECORD_BYTES;
  }
  return bytes;
}

function signedBytes(infoHash: InfoHash, records: readonly PieceRecord[]): Buffer {
  return Buffer.concat([CONTEXT, Buffer.from(infoHash, "hex"), encodeRecordList(records)]);
}
