/**
 * Swarms as bytes and back, so that after a restart whoever asks first gets peers at once instead of after one interval. Decides.
 *
 * Layout: MAGIC, length of the table of sites (4 bytes), the table as JSON; then for each group: count of info hashes (1 byte), the hashes (20
 * bytes each), count of peers (4 bytes), the peers from the longest silent one on: peer id (20), address (16), port (2), flags (1), scope (1;
 * above 0: index of the info hash and 1), silence in ms (4), site (2), spare upload (1). The first 40 of them are as in the table. Where a task's hashes and passkey come from is the task table; only
 * swarms that it knows, or all where the tracker is open, come back.
 */
import type { InfoHash } from "../../torrents/ids.ts";
import { type Ask, EVENT, emptyAsk } from "./ask.ts";
import type { Site } from "./peer-score.ts";
import { FLAG } from "./peer-table.ts";
import { readSite, type SiteTable } from "./site-table.ts";
import type { SwarmGroup } from "./swarm-group.ts";
import type { SwarmStore } from "./swarm-store.ts";

const MAGIC = Buffer.from("skimmer swarms 2\n");
const PEER_BYTES = 47;
const HASH_BYTES = 20;

/** What comes before the groups. Sites that come up while they are written are not in it: their peers bring them back themselves. */
export function encodeHead(sites: SiteTable): Buffer {
  const table = Buffer.from(JSON.stringify(sites.all));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(table.length);
  return Buffer.concat([MAGIC, length, table]);
}

/** One group's bytes; undefined where nobody is in it. */
export function encodeGroup(group: SwarmGroup, nowMs: number): Buffer | undefined {
  group.expire(nowMs);
  const { table, swarms } = group;
  if (table.count === 0) return undefined;
  const bytes = Buffer.alloc(1 + swarms.length * HASH_BYTES + 4 + table.count * PEER_BYTES);
  bytes[0] = swarms.length;
  for (const { key, index } of swarms) bytes.write(key, 1 + index * HASH_BYTES, "latin1");
  let at = bytes.writeUInt32BE(table.count, 1 + swarms.length * HASH_BYTES);
  for (let record = table.oldest; record >= 0; record = table.newer(record)) {
    bytes.set(table.identity(record), at);
    bytes.writeUInt32BE(Math.min(0xffffffff, Math.max(0, Math.round(nowMs - table.seenMs(record)))), at + 40);
    bytes.writeUInt16BE(table.site(record), at + 44);
    bytes[at + 46] = table.spare(record);
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
  const head = readHead(bytes, store.sites);
  if (head === undefined) return 0;
  let restored = 0;
  let at = head.end;
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
    const from = { keys, siteNumbers: head.siteNumbers };
    for (let peer = peersAt; peer < end; peer += PEER_BYTES) if (restorePeer({ bytes, at: peer, ...from }, store, options)) restored++;
    at = end;
  }
  return restored;
}

/** Where the groups begin, and the store's numbers of the sites; undefined: this is no snapshot. */
function readHead(bytes: Buffer, sites: SiteTable): { readonly end: number; readonly siteNumbers: readonly number[] } | undefined {
  const tableAt = MAGIC.length + 4;
  if (bytes.length < tableAt || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const end = tableAt + bytes.readUInt32BE(MAGIC.length);
  if (end > bytes.length) return undefined;
  try {
    const rows: unknown = JSON.parse(bytes.toString("utf8", tableAt, end));
    return Array.isArray(rows) ? { end, siteNumbers: rows.map((row: unknown) => sites.numberOf(siteOf(row))) } : undefined;
  } catch {
    return undefined;
  }
}

function siteOf(row: unknown): Site {
  const { idc, location } = (row ?? {}) as { idc?: unknown; location?: unknown };
  return readSite({
    idc: typeof idc === "string" ? idc : "",
    location: Array.isArray(location) ? location.filter((level) => typeof level === "string").join("|") : "",
  });
}

interface StoredPeer {
  readonly bytes: Buffer;
  readonly at: number;
  readonly keys: readonly string[];
  readonly siteNumbers: readonly number[];
}

function restorePeer({ bytes, at, keys, siteNumbers }: StoredPeer, store: SwarmStore, options: RestoreOptions): boolean {
  const swarm = store.find(keys[Math.max(0, bytes[at + 39] - 1)] ?? "");
  const silentMs = bytes.readUInt32BE(at + 40) + options.awayMs;
  if (swarm === undefined || silentMs > options.expireMs) return false;
  const ask = readPeer(bytes, at);
  ask.site = siteNumbers[bytes.readUInt16BE(at + 44)] || store.sites.numberFor(ask.address);
  // a record that is newer already (its peer was quicker than this) stays as it is
  if (swarm.group.knows(swarm, ask)) return false;
  swarm.group.record(swarm, ask, options.nowMs - silentMs);
  return true;
}

function readPeer(bytes: Buffer, at: number): Ask {
  const ask = emptyAsk();
  const flags = bytes[at + 38];
  ask.peerId.set(bytes.subarray(at, at + 20));
  ask.address.set(bytes.subarray(at + 20, at + 36));
  ask.port = bytes.readUInt16BE(at + 36);
  ask.v6 = (flags & FLAG.v6) !== 0;
  ask.left = (flags & FLAG.complete) !== 0 ? 0 : Number.POSITIVE_INFINITY;
  ask.event = (flags & FLAG.paused) !== 0 ? EVENT.paused : EVENT.none;
  ask.spare = bytes[at + 46];
  return ask;
}

function hexOf(key: string): InfoHash {
  return Buffer.from(key, "latin1").toString("hex") as InfoHash;
}
