/**
 * Swarms as bytes and back, so that after a restart whoever asks first gets peers at once instead of after one interval. Decides.
 *
 * Layout: MAGIC, then for each group: count of info hashes (1 byte), the hashes (20 bytes each), count of peers (4 bytes), the peers from
 * the longest silent one on: address (16), port (2), peer id (20), flags (1), index of the info hash (1), silence in ms (4). Where a task's
 * hashes and passkey come from is the task table; only swarms that it knows, or all where the tracker is open, come back.
 */
import type { InfoHash } from "../../torrents/ids.ts";
import { type Ask, EVENT, emptyAsk, UNKNOWN_SHARE } from "./ask.ts";
import { FLAG } from "./peer-table.ts";
import type { SwarmGroup } from "./swarm-group.ts";
import type { SwarmStore } from "./swarm-store.ts";

export const MAGIC = Buffer.from("skimmer swarms 1\n");
const PEER_BYTES = 44;
const HASH_BYTES = 20;

/** One group's bytes; undefined where nobody is in it. */
export function encodeGroup(group: SwarmGroup, nowMs: number): Buffer | undefined {
  group.expire(nowMs);
  const { table, swarms } = group;
  if (table.count === 0) return undefined;
  const bytes = Buffer.alloc(1 + swarms.length * HASH_BYTES + 4 + table.count * PEER_BYTES);
  bytes[0] = swarms.length;
  for (const { key, index } of swarms) bytes.write(key, 1 + index * HASH_BYTES, "latin1");
  let at = bytes.writeUInt32BE(table.count, 1 + swarms.length * HASH_BYTES);
  const scratch = emptyAsk();
  for (let record = table.oldest; record >= 0; record = table.newer(record)) {
    table.read(record, scratch);
    bytes.set(scratch.address, at);
    bytes.writeUInt16BE(scratch.port, at + 16);
    bytes.set(scratch.peerId, at + 18);
    bytes[at + 38] = table.flags(record);
    bytes[at + 39] = Math.max(0, table.scope(record) - 1);
    bytes.writeUInt32BE(Math.min(0xffffffff, Math.max(0, Math.round(nowMs - table.seenMs(record)))), at + 40);
    at += PEER_BYTES;
  }
  return bytes;
}

export interface RestoreOptions {
  readonly nowMs: number;
  /** How long the tracker was away. */
  readonly awayMs: number;
  readonly expireMs: number;
  /** Swarms that the store does not know come back too. */
  readonly open: boolean;
}

/** Puts the peers of a snapshot into the store; answers how many. Damaged bytes end it early. */
export function restoreSwarms(bytes: Buffer, store: SwarmStore, options: RestoreOptions): number {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return 0;
  let restored = 0;
  let at = MAGIC.length;
  while (at < bytes.length) {
    const hashes = bytes[at];
    const peersAt = at + 1 + hashes * HASH_BYTES + 4;
    if (hashes === 0 || peersAt > bytes.length) break;
    const count = bytes.readUInt32BE(peersAt - 4);
    const end = peersAt + count * PEER_BYTES;
    if (end > bytes.length) break;
    const keys = Array.from({ length: hashes }, (_, index) =>
      bytes.toString("latin1", at + 1 + index * HASH_BYTES, at + 21 + index * HASH_BYTES),
    );
    if (options.open && keys.every((key) => store.find(key) === undefined)) store.join({ finals: keys.map(hexOf) });
    for (let peer = peersAt; peer < end; peer += PEER_BYTES) if (restorePeer(bytes, peer, keys, store, options)) restored++;
    at = end;
  }
  return restored;
}

function restorePeer(bytes: Buffer, at: number, keys: readonly string[], store: SwarmStore, options: RestoreOptions): boolean {
  const swarm = store.find(keys[bytes[at + 39]] ?? "");
  const silentMs = bytes.readUInt32BE(at + 40) + options.awayMs;
  if (swarm === undefined || silentMs > options.expireMs) return false;
  const ask = readPeer(bytes, at);
  ask.site = store.sites.numberFor(ask.address);
  // a record that is newer already (its peer was quicker than this) stays as it is
  if (swarm.group.knows(swarm, ask)) return false;
  swarm.group.record(swarm, ask, options.nowMs - silentMs);
  return true;
}

function readPeer(bytes: Buffer, at: number): Ask {
  const ask = emptyAsk();
  const flags = bytes[at + 38];
  ask.address.set(bytes.subarray(at, at + 16));
  ask.port = bytes.readUInt16BE(at + 16);
  ask.peerId.set(bytes.subarray(at + 18, at + 38));
  ask.v6 = (flags & FLAG.v6) !== 0;
  ask.left = (flags & FLAG.complete) !== 0 ? 0 : 1;
  ask.event = (flags & FLAG.paused) !== 0 ? EVENT.paused : EVENT.none;
  ask.spare = UNKNOWN_SHARE;
  return ask;
}

function hexOf(key: string): InfoHash {
  return Buffer.from(key, "latin1").toString("hex") as InfoHash;
}
