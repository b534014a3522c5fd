/**
 * The pages of hosts, seeders and bans. Decides.
 */
import type { BanRow, HostRow, ListFields, SeederRow, View } from "./browser/shapes.ts";
import { type Host, isCurrent } from "./host-book.ts";
import type { PageQuery } from "./page-query.ts";
import { topRows } from "./top-rows.ts";
import { roundShare, type Viewer, type ViewParts } from "./view-parts.ts";

export const HOST_SORTS = ["-active", "name", "place", "-down", "-up", "-got", "-sent"] as const;

/** Hosts whose daemons report here. */
export function hostsView({ book, wallOffsetMs }: ViewParts, query: PageQuery, { nowMs }: Viewer): View<ListFields, HostRow> {
  const { search, sort, descending } = query;
  const found = function* (): Iterable<{ row: HostRow; key: number | string }> {
    for (const host of book.hosts) {
      const text = `${host.name} ${host.address} ${host.idc} ${host.location}`.toLowerCase();
      if (host.role !== "peer" || !text.includes(search)) continue;
      const row = describeHost(host, nowMs, wallOffsetMs);
      yield { row, key: hostKey(row, sort) };
    }
  };
  const sign = descending ? -1 : 1;
  const { rows, total } = topRows(found(), {
    ...query,
    compare: (one, other) => (one.key === other.key ? (one.row.key < other.row.key ? -1 : 1) : one.key < other.key ? -sign : sign),
  });
  return { fields: { total }, rows: rows.map(({ row }) => row) };
}

/** Seeders that are linked. */
export function seedersView({ seeders, book, wallOffsetMs }: ViewParts, { nowMs }: Viewer): View<ListFields, SeederRow> {
  const rows = seeders.seeders.map(({ peerId, host, port }): SeederRow => {
    const told = book.find(peerId);
    const disk = told?.disk;
    const rates = told === undefined ? undefined : ratesNow(told, nowMs);
    return {
      key: peerId,
      name: told?.name ?? host,
      address: `${host.includes(":") ? `[${host}]` : host}:${port}`,
      version: told?.version ?? "",
      startedMs: told === undefined ? null : Math.round(told.startedMs + wallOffsetMs),
      tasks: disk?.tasks ?? 0,
      usedBytes: disk?.usedBytes ?? 0,
      quotaBytes: disk?.quotaBytes ?? 0,
      availableBytes: disk?.availableBytes ?? 0,
      fetchRate: rates?.down ?? 0,
      upRate: rates?.up ?? 0,
    };
  });
  return { fields: { total: rows.length }, rows };
}

/** Peers that are handed out to nobody, and those that were reported. */
export function bansView({ standing, wallOffsetMs }: ViewParts, query: PageQuery, { nowMs }: Viewer): View<ListFields, BanRow> {
  // to whole seconds, so that the same ban is the same text
  const untilMs = (secondsLeft: number): number => Math.round((nowMs + wallOffsetMs) / 1000 + secondsLeft) * 1000;
  const banned = standing.bans(nowMs).map(({ peer, reason, voices, secondsLeft }): BanRow => {
    return { key: peer, address: formatPeer(peer), reason, voices, untilMs: untilMs(secondsLeft), share: 1 };
  });
  const suspects = standing.suspects(nowMs).map(({ peer, reason, voices, share }): BanRow => {
    return { key: peer, address: formatPeer(peer), reason, voices, untilMs: null, share: roundShare(share) };
  });
  const all = [...banned, ...suspects.sort((one, other) => other.share - one.share)];
  return { fields: { total: all.length }, rows: all.slice(query.offset, query.offset + query.limit) };
}

function describeHost(host: Host, nowMs: number, wallOffsetMs: number): HostRow {
  const told = [...host.tasks.values()].filter(({ seenMs }) => isCurrent(host, seenMs, nowMs));
  const active = told.filter(({ status }) => status.downloadBytesPerSecond + status.uploadBytesPerSecond > 0).length;
  const { uploaded: uploadedBytes, ...from } = host.account;
  const { down, up } = ratesNow(host, nowMs);
  const { peerId: key, name, address, port, idc, location, version } = host;
  const startedMs = Math.round(host.startedMs + wallOffsetMs);
  const place = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  const about = { key, name, address: place, idc, location, version, startedMs };
  return { ...about, tasks: host.tasks.size, active, downRate: down, upRate: up, from, uploadedBytes };
}

function ratesNow(host: Host, nowMs: number): { down: number; up: number } {
  const rates = { down: 0, up: 0 };
  for (const { status, seenMs } of host.tasks.values()) {
    if (!isCurrent(host, seenMs, nowMs)) continue;
    rates.down += status.downloadBytesPerSecond;
    rates.up += status.uploadBytesPerSecond;
  }
  return rates;
}

function hostKey(row: HostRow, sort: string): number | string {
  const got = row.from.origin + row.from.seeder + row.from.peers;
  switch (sort) {
    case "name":
      return row.name;
    case "place":
      return `${row.idc} ${row.location}`;
    case "down":
      return row.downRate;
    case "up":
      return row.upRate;
    case "got":
      return got;
    case "sent":
      return row.uploadedBytes;
    default:
      return row.downRate + row.upRate;
  }
}

/** `ADDRESS PORT` as addresses are written. */
function formatPeer(peer: string): string {
  const [address, port] = peer.split(" ");
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}
