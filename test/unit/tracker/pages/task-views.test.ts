/** The views of real stores: ten thousand tasks in pages, private ones for who may see them, and what a swarm's members have. */
import { join } from "node:path";
import test from "ava";
import { silentLogger } from "../../../../system/logger.ts";
import type { TaskStatus } from "../../../../torrents/host-report.ts";
import type { PeerId, TaskId } from "../../../../torrents/ids.ts";
import { encodeLiveInfo, liveInfoHash } from "../../../../torrents/live-info.ts";
import type { SeederTask } from "../../../../torrents/seeder-link.ts";
import { HostBook, type Reporter } from "../../../../tracker/pages/host-book.ts";
import { overviewView, TASK_SORTS } from "../../../../tracker/pages/overview-view.ts";
import { readPageQuery } from "../../../../tracker/pages/page-query.ts";
import { PEER_SORTS, taskView } from "../../../../tracker/pages/task-view.ts";
import { Throughput } from "../../../../tracker/pages/throughput.ts";
import { emptyAccount, TotalsBook } from "../../../../tracker/pages/totals-book.ts";
import type { ViewParts } from "../../../../tracker/pages/view-parts.ts";
import { Passkeys } from "../../../../tracker/passkeys.ts";
import { PeerStanding } from "../../../../tracker/peer-standing.ts";
import type { SeederRegistry } from "../../../../tracker/seeder-registry.ts";
import { makeAsk } from "../../../../tracker/swarm/ask.ts";
import { SwarmStore } from "../../../../tracker/swarm/swarm-store.ts";
import { TaskTable } from "../../../../tracker/task-table.ts";
import { temporaryFolder } from "../../../support/folders.ts";

const PIECE = 262_144;
const SEEDER = "2d5353303130302d000000000000000000000001" as PeerId;
const DAEMON = "2d534b303130302d000000000000000000000002" as PeerId;
const CLIENT = Buffer.from("-TR3000-abcdefghijkl").toString("hex") as PeerId;

function taskOf(number: number, more: Partial<SeederTask> = {}): SeederTask {
  const id = number.toString(16).padStart(64, "0") as TaskId;
  const name = `file-${number}.bin`;
  const lengthBytes = 4 * PIECE;
  const liveInfo = encodeLiveInfo({ name, lengthBytes, pieceLengthBytes: PIECE, key: Buffer.alloc(32, 1), task: Buffer.from(id, "hex") });
  return {
    id,
    url: `http://host/path/${name}?token=t`,
    name,
    state: "live",
    lengthBytes,
    pieceLengthBytes: PIECE,
    piecesReady: 0,
    infoHash: liveInfoHash(liveInfo),
    liveInfo: liveInfo.toString("base64"),
    validators: {},
    private: false,
    ...more,
  };
}

async function setUp() {
  const folder = await temporaryFolder();
  const swarms = new SwarmStore({ expireMs: () => 60_000 });
  const passkeys = new Passkeys(Buffer.alloc(32));
  const tasks = new TaskTable({ path: join(folder.path, "tasks.json"), swarms, passkeys, logger: silentLogger });
  await tasks.load();
  const totals = new TotalsBook({ sinceMs: 0, all: emptyAccount(), tasks: [] });
  const book = new HostBook({ taskOf: (infoHash) => tasks.find(infoHash)?.task.id, totals, startMs: 0 });
  const seeders = { seeders: [] } as unknown as SeederRegistry;
  const parts: ViewParts = { tasks, swarms, seeders, standing: new PeerStanding(), book, throughput: new Throughput(), wallOffsetMs: 0 };
  const dispose = async (): Promise<void> => {
    await tasks.close();
    await folder[Symbol.asyncDispose]();
  };
  return { parts, tasks, swarms, book, [Symbol.asyncDispose]: dispose };
}

function reporter(peerId: PeerId, role: "peer" | "seeder"): Reporter {
  const about = { address: "10.0.0.1", port: 1, name: "node7", version: "1", idc: "", location: "", uptimeSeconds: 0, whole: true };
  return { ...about, peerId, role };
}

function status(task: SeederTask, more: Partial<TaskStatus>): TaskStatus {
  const nothing = {
    from: { origin: 0, seeder: 0, peers: 0 },
    uploadedBytes: 0,
    downloadBytesPerSecond: 0,
    uploadBytesPerSecond: 0,
    connections: 0,
  };
  return { infoHash: task.infoHash, bytesHave: 0, piecesHave: 0, ...nothing, ...more };
}

const VIEWER = { nowMs: 1000, seesPrivate: false };

test("overviewView() finds, orders and pages ten thousand tasks", async (t) => {
  await using place = await setUp();
  const { parts, tasks, book } = place;
  for (let number = 0; number < 10_000; number++) tasks.update(taskOf(number), undefined);
  book.take(reporter(DAEMON, "peer"), [status(taskOf(77), { downloadBytesPerSecond: 500 })], 1000);
  const ask = (query: Record<string, string>) => overviewView(parts, readPageQuery(query, TASK_SORTS), VIEWER);
  const first = ask({});
  t.is(first.fields.total, 10_000);
  t.is(first.rows.length, 50);
  t.like(first.rows[0], { name: "file-77.bin", rate: 500, url: "http://host/path/file-77.bin" });
  const last = ask({ sort: "name", order: "desc", offset: "9990", limit: "100" });
  t.deepEqual(
    last.rows.map(({ name }) => name),
    [1005, 1004, 1003, 1002, 1001, 1000, 100, 10, 1, 0].map((number) => `file-${number}.bin`),
  );
  t.deepEqual(
    ask({ search: "FILE-9999" }).rows.map(({ name }) => name),
    ["file-9999.bin"],
  );
  t.is(ask({ search: "token=t" }).fields.total, 0, "secrets are not searched");
  t.is(ask({ search: taskOf(5).infoHash }).rows[0].name, "file-5.bin");
});

test("overviewView() counts private tasks, and shows them to who may see them", async (t) => {
  await using place = await setUp();
  const { parts, tasks } = place;
  tasks.update(taskOf(1, { private: true }), undefined);
  tasks.update(taskOf(2), undefined);
  const query = readPageQuery({}, TASK_SORTS);
  const hidden = overviewView(parts, query, VIEWER);
  t.deepEqual([hidden.rows.length, hidden.fields.tasks.hidden, hidden.fields.total], [1, 1, 1]);
  const seen = overviewView(parts, query, { ...VIEWER, seesPrivate: true });
  t.deepEqual([seen.rows.length, seen.fields.tasks.hidden, seen.fields.tasks.live], [2, 0, 2]);
});

test("taskView() joins what the tracker knows of a swarm with what its hosts told", async (t) => {
  await using place = await setUp();
  const { parts, tasks, swarms, book } = place;
  const task = taskOf(9, { infoHashV1: "11".repeat(20) as never });
  tasks.update(task, SEEDER);
  const at = (peerId: PeerId, ip: string, more = {}) => {
    const ask = makeAsk({ infoHash: task.infoHash, peerId, ip, port: 1000, ...more });
    if (ask === undefined) throw new Error("no address");
    return ask;
  };
  swarms.addLink(at(SEEDER, "10.0.0.1", { left: 0 }), 0);
  swarms.announce(at(DAEMON, "10.0.0.2"), 0, () => 0);
  swarms.announce(at(CLIENT, "10.0.0.3", { infoHash: "11".repeat(20), left: 3 * PIECE }), 0, () => 0);
  // pieces 0 to 2 at the seeder, piece 0 at the host
  const map = (bits: number): string => Buffer.from([bits]).toString("base64");
  const fetched = { from: { origin: 3 * PIECE, seeder: 0, peers: 0 } };
  book.take(
    reporter(SEEDER, "seeder"),
    [status(task, { bytesHave: 3 * PIECE, piecesHave: 3, pieces: map(0b1110_0000), ...fetched })],
    1000,
  );
  const got = { from: { origin: 0, seeder: PIECE, peers: 0 }, downloadBytesPerSecond: 700 };
  book.take(reporter(DAEMON, "peer"), [status(task, { bytesHave: PIECE, piecesHave: 1, pieces: map(0b1000_0000), ...got })], 1000);
  const row = tasks.find(task.id);
  if (row === undefined) throw new Error("no row");
  const { fields, rows } = taskView(parts, row, readPageQuery({}, PEER_SORTS), VIEWER);
  t.like(fields, { map: "2110", piecesReady: 3, pieceCount: 4, seeds: 1, leeches: 2, rate: 700, total: 3, savedBytes: 0, peerShare: 0 });
  t.deepEqual(
    rows.map(({ role, progress, downRate, client }) => [role, progress, downRate, client]),
    [
      ["seeder", 0.75, 0, "Skimmer seeder 0.1"],
      ["host", 0.25, 700, "Skimmer 0.1"],
      ["client", 0.25, null, "Transmission 3.0"],
    ],
  );
  t.like(rows[1], { name: "node7", address: "10.0.0.2:1000", from: got.from });
  // a minute later nobody receives, whatever was told then
  t.is(taskView(parts, row, readPageQuery({}, PEER_SORTS), { ...VIEWER, nowMs: 50_000 }).fields.rate, 0);
});
