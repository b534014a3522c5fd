/**
 * Compact peers (BEP 23, 7): 6 bytes for IPv4, 18 for IPv6, copied from the records as they are. Decides. Hot path.
 */
import { FIELD, FLAG, type PeerTable } from "../swarm/peer-table.ts";

const ADDRESS_AND_PORT = 18;
/** The mapped prefix of an IPv4 address. */
const V4_SKIPS = 12;
const { bytes: BYTES, addressAt: ADDRESS_AT, flagsAt: FLAGS_AT } = FIELD;
const { v6: V6 } = FLAG;

export interface CompactSource {
  readonly table: PeerTable;
  readonly picked: Int32Array;
  readonly pickedCount: number;
  readonly family: 4 | 6;
}

/** Writes those of one family; answers the end. The room is for all of them. */
export function writeCompact({ table, picked, pickedCount, family }: CompactSource, into: Uint8Array, start: number): number {
  const { bytes } = table;
  const skips = family === 6 ? 0 : V4_SKIPS;
  const wanted = family === 6 ? V6 : 0;
  let to = start;
  for (let index = 0; index < pickedCount; index++) {
    const at = picked[index] * BYTES;
    if ((bytes[at + FLAGS_AT] & V6) !== wanted) continue;
    const end = at + ADDRESS_AT + ADDRESS_AND_PORT;
    for (let from = at + ADDRESS_AT + skips; from < end; from++) into[to++] = bytes[from];
  }
  return to;
}
