/**
 * Payloads of the `sk_live` extension (BEP 10): a type byte, then the body (docs/live-torrents.md). Decides.
 */
import { SkimmerError } from "../system/errors.ts";
import { decodeDict, dictBytes, encode } from "./bencode.ts";
import { decodeGroups, encodeGroup, type RecordGroup } from "./piece-records.ts";

export interface FinalMessage {
  readonly infoV1: Buffer;
  readonly infoV2: Buffer;
  readonly signature: Buffer;
}

export type LiveMessage =
  | { readonly kind: "want"; readonly first: number; readonly count: number }
  | { readonly kind: "records"; readonly groups: RecordGroup[] }
  | ({ readonly kind: "final" } & FinalMessage);

const WANT = 0;
const RECORDS = 1;
const FINAL = 2;

/** Asks for the groups that cover these pieces, and for all later ones as they come. */
export function encodeWant(want: { first: number; count: number }): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = WANT;
  bytes.writeUInt32BE(want.first, 1);
  bytes.writeUInt32BE(want.count, 5);
  return bytes;
}

export function encodeRecords(groups: readonly RecordGroup[]): Buffer {
  return Buffer.concat([Buffer.from([RECORDS]), ...groups.map(encodeGroup)]);
}

export function encodeFinal(final: FinalMessage): Buffer {
  return Buffer.concat([Buffer.from([FINAL]), encode({ signature: final.signature, v1: final.infoV1, v2: final.infoV2 })]);
}

/** Reads one payload. Throws SkimmerError `protocol`; unknown types too, since both sides are ours. */
export function parseLiveMessage(payload: Buffer): LiveMessage {
  const body = payload.subarray(1);
  if (payload[0] === WANT && body.length === 8) return { kind: "want", first: body.readUInt32BE(0), count: body.readUInt32BE(4) };
  if (payload[0] === RECORDS) return { kind: "records", groups: decodeGroups(body) };
  if (payload[0] === FINAL) return { kind: "final", ...parseFinal(body) };
  throw new SkimmerError("protocol", `live message of unknown type ${payload[0]}`);
}

function parseFinal(body: Buffer): FinalMessage {
  const dict = decodeDict(Buffer.from(body));
  const infoV1 = dictBytes(dict, "v1");
  const infoV2 = dictBytes(dict, "v2");
  const signature = dictBytes(dict, "signature");
  if (infoV1 === undefined || infoV2 === undefined || signature?.length !== 64)
    throw new SkimmerError("protocol", "final message is incomplete");
  return { infoV1, infoV2, signature };
}
