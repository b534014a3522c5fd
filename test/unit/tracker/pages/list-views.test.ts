/** The pages of hosts, seeders and bans: who is on them, in which order, and what is said of him. */
import test from "ava";
import type { PeerId, TaskId } from "../../../../torrents/ids.ts";
import { HostBook, type Reporter } from "../../../../tracker/pages/host-book.ts";
import { bansView, HOST_SORTS, hostsView, seedersView } from "../../../../tracker/pages/list-views.ts";
import { readPageQuery } from "../../../../tracker/pages/page-query.ts";
import { emptyAccount, TotalsBook } from "../../../../tracker/pages/totals-book.ts";
import type { ViewParts } from "../../../../tracker/pages/view-parts.ts";
import { PeerStanding } from "../../../../tracker/peer-standing.ts";

const VIEWER = { nowMs: 10_000, seesPrivate: false };
const WALL_MS = 1_700_000_000_000;
const SEEDER = "2d5353303130302d000000000000000000000009" as PeerId;
const DISK = { quotaBytes: 100, usedBytes: 40, availableBytes: 60, tasks: 3 };

function partsOf(more: Partial<ViewParts> = {}): ViewParts {
  const totals = new TotalsBook({ sinceMs: 0, all: emptyAccount(), tasks: [] });
  const book = new HostBook({ taskOf: (infoHash) => infoHash.padEnd(64, "0") as TaskId, totals, startMs: 0 });
  return { book, standing: new PeerStanding(), seeders: { seeders: [] }, wallOffsetMs: WALL_MS, ...more } as unknown as ViewParts;
}

function reporter(number: number, more: Partial<Reporter> = {}): Reporter {
  const peerId = `2d534b303130302d${String(number).padStart(24, "0")}` as PeerId;
  const about = {
    role: "peer",
    address: `10.0.0.${number}`,
    port: 65002,
    version: "1",
    idc: `dc${number % 2}`,
    location: "eu|de",
  } as const;
  return { peerId, name: `node${number}`, uptimeSeconds: 4, whole: true, ...about, ...more };
}

function status(downloadBytesPerSecond: number, received: number) {
  const from = { origin: 0, seeder: received, peers: 0 };
  const rest = { uploadedBytes: 0, uploadBytesPerSecond: 0, connections: 0, bytesHave: 0, piecesHave: 0 };
  return { infoHash: "ab".repeat(20) as never, from, downloadBytesPerSecond, ...rest };
}

test("hostsView() finds hosts by name, address and place, and orders them", (t) => {
  const parts = partsOf();
  for (const number of [1, 2, 3]) parts.book.take(reporter(number), [status(number * 100, 1000 / number)], 10_000);
  parts.book.take(reporter(9, { peerId: SEEDER, role: "seeder" }), [], 10_000);
  const names = (query: Record<string, string>): string[] =>
    hostsView(parts, readPageQuery(query, HOST_SORTS), VIEWER).rows.map(({ name }) => name);
  t.deepEqual(names({}), ["node3", "node2", "node1"], "who does most");
  t.deepEqual(names({ sort: "got" }), ["node1", "node2", "node3"]);
  t.deepEqual(names({ sort: "name", order: "desc" }), ["node3", "node2", "node1"]);
  t.deepEqual(names({ search: "dc1", sort: "name" }), ["node1", "node3"]);
  t.deepEqual(names({ search: "10.0.0.2" }), ["node2"]);
  const [row] = hostsView(parts, readPageQuery({ search: "node2" }, HOST_SORTS), VIEWER).rows;
  t.like(row, { address: "10.0.0.2:65002", idc: "dc0", location: "eu|de", tasks: 1, active: 1, downRate: 200, from: { seeder: 500 } });
  t.is(row.startedMs, WALL_MS + 6000);
});

test("seedersView() has every seeder that is linked, also one that told nothing yet", (t) => {
  const linked = [
    { peerId: SEEDER, host: "10.0.0.9", port: 8001 },
    { peerId: "00".repeat(20), host: "fd00::1", port: 8001 },
  ];
  const parts = partsOf({ seeders: { seeders: linked } as never });
  parts.book.take(reporter(9, { peerId: SEEDER, role: "seeder", disk: DISK }), [status(700, 0)], 10_000);
  const { rows, fields } = seedersView(parts, VIEWER);
  t.is(fields.total, 2);
  t.like(rows[0], { address: "10.0.0.9:8001", usedBytes: 40, quotaBytes: 100, availableBytes: 60, tasks: 3, fetchRate: 700 });
  t.like(rows[1], { address: "[fd00::1]:8001", usedBytes: 0, startedMs: null });
});

test("bansView() has who is banned, until when, and who was only reported, by how much", (t) => {
  const parts = partsOf();
  const { standing } = parts;
  const say = (target: string, from: string): boolean =>
    standing.report({ reporter: from, target, offence: "bad_block", reason: `said ${from}`, others: 10 }, 10_000);
  for (const voice of ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) say("10.6.6.6 65002", voice);
  say("fd00::6 1", "10.0.0.1");
  const { rows } = bansView(parts, readPageQuery({}, [""]), VIEWER);
  t.deepEqual(rows, [
    // ten minutes for the first ban
    { key: "10.6.6.6 65002", address: "10.6.6.6:65002", reason: "said 10.0.0.3", voices: 3, untilMs: WALL_MS + 610_000, share: 1 },
    // one voice of weight 1, where 1.5 bans
    { key: "fd00::6 1", address: "[fd00::6]:1", reason: "said 10.0.0.1", voices: 1, untilMs: null, share: 0.667 },
  ]);
  t.deepEqual(bansView(parts, readPageQuery({}, [""]), { ...VIEWER, nowMs: 10_000_000 }).rows, [], "both end");
});
