/**
 * Compact peers (BEP 23, 7): 6 bytes for IPv4, 18 for IPv6, copied from the records as they are. Decides. Hot path.
 */
import { FLAG, type PeerTable } from "../swarm/peer-table.ts";

const ADDRESS_AND_PORT = 18;
/** The mapped prefix of an IPv4 address. */
const V4_SKIPS = 12;

export interface CompactSource {
  readonly table: PeerTable;
  readonly picked: Int32Array;
  readonly pickedCount: number;
  readonly family: 4 | 6;
}

/** Writes those of one family; answers the end. The room is for all of them. */
export function writeCompact({ table, picked, pickedCount, family }: CompactSource, into: Uint8Array, start: number): number {
  const { bytes } = table;
  let to = start;
  for (let index = 0; index < pickedCount; index++) {
    const record = picked[index];
    if (((table.flags(record) & FLAG.v6) !== 0) !== (family === 6)) continue;
    const at = table.addressAt(record);
    for (let from = at + (family === 6 ? 0 : V4_SKIPS); from < at + ADDRESS_AND_PORT; from++) into[to++] = bytes[from];
  }
  return to;
}
