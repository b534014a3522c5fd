/**
 * The page of one task: what it is, how its pieces are spread, and who is in its swarm. Decides.
 *
 * Who is in the swarm is what the tracker knows; what our own hosts do there is what they told, joined by peer id.
 */
import type { PeerId } from "../../torrents/ids.ts";
import { shownText, shownUrl } from "../../torrents/shown-url.ts";
import { addressText } from "../swarm/address-bytes.ts";
import { FLAG, type PeerTable } from "../swarm/peer-table.ts";
import type { SwarmGroup } from "../swarm/swarm-group.ts";
import type { TaskRow as KnownTask } from "../task-table.ts";
import type { PeerRow, TaskFields, View } from "./browser/shapes.ts";
import { clientName } from "./client-name.ts";
import { type Host, type HostTask, isCurrent } from "./host-book.ts";
import type { PageQuery } from "./page-query.ts";
import { pieceMap } from "./piece-map.ts";
import { topRows } from "./top-rows.ts";
import { peerShare, savedBytes } from "./totals-book.ts";
import { pieceCountOf, piecesReady, roundShare, swarmOf, type Viewer, type ViewParts } from "./view-parts.ts";

export const PEER_SORTS = ["-active", "name", "-progress", "-down", "-up", "place"] as const;

/** A record of the swarm's table, with what its host told. */
interface Member {
  readonly record: number;
  readonly host: Host | undefined;
  readonly told: HostTask | undefined;
  readonly key: number | string;
}

/** Makes the view. */
export function taskView(parts: ViewParts, row: KnownTask, query: PageQuery, viewer: Viewer): View<TaskFields, PeerRow> {
  const { task } = row;
  const { swarms, book } = parts;
  const { nowMs } = viewer;
  const { group, seeds, leeches, browsers } = swarmOf(swarms, row, nowMs);
  const members = group === undefined ? [] : membersOf(group, parts, row, query.sort);
  const sign = query.descending ? -1 : 1;
  const compare = (one: Member, other: Member): number =>
    one.key === other.key ? one.record - other.record : one.key < other.key ? -sign : sign;
  const { rows, total } = topRows(members, { ...query, compare });
  const account = book.totals.of(task.id);
  const current = members.filter(({ host, told }) => host && told && host.role === "peer" && isCurrent(host, told.seenMs, nowMs));
  const fields: TaskFields = {
    ...describe(row, parts),
    seeds,
    leeches,
    browsers,
    rate: current.reduce((sum, { told }) => sum + (told?.status.downloadBytesPerSecond ?? 0), 0),
    bytes: { ...account },
    savedBytes: savedBytes(account),
    peerShare: peerShare(account) ?? null,
    map: group === undefined ? "" : mapOf(members, group.table, row),
    total,
  };
  return { fields, rows: group === undefined ? [] : rows.map((member) => describePeer(member, group.table, parts, row, nowMs)) };
}

function describe(row: KnownTask, { book }: ViewParts) {
  const { task, createdAt } = row;
  return {
    id: task.id,
    name: task.name,
    url: shownUrl(task.url),
    state: task.state,
    private: task.private,
    error: task.error === undefined ? null : shownText(task.error.message),
    lengthBytes: task.lengthBytes,
    pieceLengthBytes: task.pieceLengthBytes,
    pieceCount: pieceCountOf(task),
    piecesReady: piecesReady(row, book),
    // of private content it is the key: who may read names may not have that
    infoHash: task.private ? null : task.infoHash,
    infoHashV1: (task.private ? undefined : task.infoHashV1) ?? null,
    infoHashV2: (task.private ? undefined : task.infoHashV2) ?? null,
    createdMs: Date.parse(createdAt),
  };
}

function membersOf({ table }: SwarmGroup, { book, swarms }: ViewParts, row: KnownTask, sort: string): Member[] {
  return Array.from({ length: table.count }, (_, record) => {
    const host = book.find(table.peerId(record).toString("hex") as PeerId);
    const told = host?.tasks.get(row.task.id);
    const progress = progressOf(table, record, told, row) ?? 0;
    const member = { record, host, told };
    switch (sort) {
      case "name":
        return { ...member, key: host?.name ?? addressText(table.bytes, table.addressAt(record), false) };
      case "progress":
        return { ...member, key: progress };
      case "down":
        return { ...member, key: told?.status.downloadBytesPerSecond ?? -1 };
      case "up":
        return { ...member, key: told?.status.uploadBytesPerSecond ?? -1 };
      case "place": {
        const { idc, location } = swarms.sites.site(table.site(record));
        return { ...member, key: `${idc} ${location.join("|")}` };
      }
      default:
        // those that are at it, the furthest first; then seeds
        return { ...member, key: progress >= 1 ? 0 : 1 + progress };
    }
  });
}

/** Announces and news of tasks may be ahead of what a host told last. */
function isFull(table: PeerTable, record: number, told: HostTask | undefined, { task }: KnownTask): boolean {
  const flags = table.flags(record);
  const isLink = (flags & FLAG.link) !== 0;
  // linked seeders are in the swarm as complete from the beginning: what they lack is still at the origin
  const knownFull = isLink ? task.state === "final" : (flags & FLAG.complete) !== 0;
  return knownFull || (told !== undefined && told.status.bytesHave >= task.lengthBytes);
}

function progressOf(table: PeerTable, record: number, told: HostTask | undefined, row: KnownTask): number | undefined {
  if (isFull(table, record, told, row)) return 1;
  const { lengthBytes } = row.task;
  if (told !== undefined) return told.status.bytesHave / lengthBytes;
  const left = (table.flags(record) & FLAG.link) !== 0 ? undefined : table.leftBytes(record);
  return left === undefined ? undefined : Math.max(0, 1 - left / lengthBytes);
}

function describePeer(member: Member, table: PeerTable, { swarms }: ViewParts, row: KnownTask, nowMs: number): PeerRow {
  const { record, host, told } = member;
  const flags = table.flags(record);
  const peerId = table.peerId(record);
  const { idc, location } = swarms.sites.site(table.site(record));
  const ip = addressText(table.bytes, table.addressAt(record), (flags & FLAG.v6) !== 0);
  const address = `${ip.includes(":") ? `[${ip}]` : ip}:${table.port(record)}`;
  const progress = progressOf(table, record, told, row);
  const rate = (bytesPerSecond: number): number => (host && told && isCurrent(host, told.seenMs, nowMs) ? bytesPerSecond : 0);
  return {
    key: `${peerId.toString("hex")} ${table.scope(record)}`,
    role: (flags & FLAG.link) !== 0 ? "seeder" : (flags & FLAG.ours) !== 0 ? "host" : "client",
    name: host?.name ?? address,
    address,
    client: clientName(peerId),
    idc,
    location: location.join("|"),
    progress: progress === undefined ? null : roundShare(progress),
    paused: (flags & FLAG.paused) !== 0,
    banned: (flags & FLAG.banned) !== 0,
    downRate: told === undefined ? null : rate(told.status.downloadBytesPerSecond),
    upRate: told === undefined ? null : rate(told.status.uploadBytesPerSecond),
    from: told?.status.from ?? null,
    uploadedBytes: told?.status.uploadedBytes ?? null,
  };
}

function mapOf(members: readonly Member[], table: PeerTable, row: KnownTask): string {
  const maps: string[] = [];
  let whole = 0;
  for (const { record, told } of members) {
    const pieces = told?.status.pieces;
    if (isFull(table, record, told, row)) whole++;
    else if (pieces !== undefined) maps.push(pieces);
  }
  return pieceMap({ pieceCount: pieceCountOf(row.task), whole, maps });
}
