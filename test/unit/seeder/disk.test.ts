/** Room on the seeder's disk: quota, order of eviction, pins, what is in use, and what does not fit. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { access, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { openEngine } from "../../../peer/engine/engine.ts";
import { silentLogger } from "../../../system/logger.ts";
import { parseLiveInfo } from "../../../torrents/live-info.ts";
import { makePeerId } from "../../../torrents/peer-id.ts";
import type { SeederTask as TaskShape } from "../../../torrents/seeder-link.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { until } from "../../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../../support/scripted-origin.ts";
import { gate, MIB, SeederSetting } from "./setting.ts";

/** Room for ten files of a MiB: evicted above 9.5, down to 8.5. */
const CACHE = { size: { bytes: 10 * MIB }, high: 0.95, low: 0.85 };

async function setUp(options: Parameters<typeof SeederSetting.start>[1] = {}) {
  const folder = await temporaryFolder();
  const server = await ScriptedOrigin.start();
  const time = { nowMs: Date.now() };
  const all = { cache: CACHE, nowMs: () => time.nowMs, ...options };
  const setting = await SeederSetting.start(folder.path, all);
  return {
    server,
    setting,
    seeder: setting.seeder,
    time,
    data: folder.path,
    options: all,
    url: (name: string, mib: number) => server.add(`/${name}`, seededBytes(name.charCodeAt(0), mib * MIB)).url,
    /** A complete task, used a second later than the one before. */
    async fetch(name: string, mib = 1): Promise<TaskShape> {
      time.nowMs += 1000;
      const { id } = await setting.seeder.resolve({ url: this.url(name, mib), headers: {} });
      return setting.reaches(id, "final");
    },
    names: () =>
      setting.seeder.shapes
        .map((shape) => shape.name)
        .sort()
        .join(""),
    async [Symbol.asyncDispose]() {
      await setting[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function fetchAll(at: Awaited<ReturnType<typeof setUp>>, names: string): Promise<TaskShape[]> {
  const tasks: TaskShape[] = [];
  for (const name of names) tasks.push(await at.fetch(name));
  return tasks;
}

test("above the high mark the least recently used go, down to the low mark, with their files", async (t) => {
  await using at = await setUp();
  const [first] = await fetchAll(at, "abcdefghi");
  t.is(at.names(), "abcdefghi", "9 of 9.5");
  await at.fetch("a");
  await at.fetch("j");
  t.is(at.names(), "adefghij", "9 + 1 are above 9.5: two go, for 8.5 to be left; a was used again");
  t.deepEqual((await readdir(join(at.data, "tasks"))).length, 8);
  await access(join(at.data, "tasks", first.id));
  t.is(at.setting.news.size, 10);
  const { quotaBytes, usedBytes, tasks } = await at.seeder.cacheReport();
  t.is(quotaBytes, 10 * MIB);
  t.is(usedBytes, 8 * MIB);
  t.is(tasks.length, 8);
});

test("what is pinned stays, also over a restart; what is unpinned goes", async (t) => {
  await using at = await setUp();
  const [a, b] = await fetchAll(at, "abcdefghi");
  await at.seeder.pin(a.id, true);
  await at.fetch("j");
  t.is(at.names(), "adefghij");
  await at.setting[Symbol.asyncDispose]();
  await using again = await SeederSetting.start(at.data, at.options);
  await again.seeder.collect({ bytes: 0 });
  t.deepEqual(
    again.seeder.shapes.map(({ id }) => id),
    [a.id],
  );
  await again.seeder.pin(a.id, false);
  t.like(await again.seeder.collect({ bytes: 0 }), { removed: 1, freedBytes: MIB, usedBytes: 0 });
  await t.throwsAsync(again.seeder.pin(b.id, true), { message: /no task/ });
});

test("the order of use outlives a restart", async (t) => {
  await using at = await setUp();
  await fetchAll(at, "abc");
  await at.fetch("a");
  await at.setting[Symbol.asyncDispose]();
  await using again = await SeederSetting.start(at.data, at.options);
  await again.seeder.collect({ bytes: MIB });
  t.deepEqual(
    again.seeder.shapes.map(({ name }) => name),
    ["a"],
  );
});

test("files of others in the data folder do not count, and stay", async (t) => {
  await using at = await setUp();
  await writeFile(join(at.data, "foreign"), Buffer.alloc(20 * MIB));
  await fetchAll(at, "abc");
  await at.seeder.lookAfterDisk();
  t.is(at.names(), "abc");
  t.is((await stat(join(at.data, "foreign"))).size, 20 * MIB);
});

test("collect() removes leftovers of tasks, and without a target goes down to the low mark", async (t) => {
  await using at = await setUp();
  await fetchAll(at, "abcdefghi");
  await mkdir(join(at.data, "tasks", "0".repeat(64)));
  await writeFile(join(at.data, "tasks", "junk"), "x");
  t.deepEqual(await at.seeder.collect(undefined), { removed: 1, freedBytes: MIB, leftovers: 2, usedBytes: 8 * MIB });
  t.is((await readdir(join(at.data, "tasks"))).length, 8);
});

test("a file larger than the cache is refused before anything is fetched or evicted", async (t) => {
  await using at = await setUp();
  await fetchAll(at, "ab");
  const before = at.server.bytesSent;
  const error = await t.throwsAsync(at.seeder.resolve({ url: at.url("x", 11), headers: {} }));
  t.like(error, { code: "disk_full", message: "11.5 MB do not fit the seeder's cache of 10.5 MB" });
  t.is(at.names(), "ab");
  t.is(at.server.bytesSent, before + 1, "the probe");
});

test("what is fetched is not evicted, and room is promised once", async (t) => {
  const held = gate();
  await using at = await setUp({ throttle: held.throttle });
  const one = await at.seeder.resolve({ url: at.url("a", 6), headers: {} });
  const error = await t.throwsAsync(at.seeder.resolve({ url: at.url("b", 5), headers: {} }));
  t.like(error, { code: "disk_full", retriable: true });
  await at.seeder.collect({ bytes: 0 });
  held.open();
  await at.setting.reaches(one.id, "final");
  await at.fetch("c", 5);
  t.is(at.names(), "c", "a is idle now, and goes for it");
});

test("two that come at once and fit only alone: one is refused", async (t) => {
  const held = gate();
  await using at = await setUp({ throttle: held.throttle });
  const urls = ["a", "b", "c"].map((name) => at.url(name, 6));
  const outcomes = await Promise.allSettled(urls.map((url) => at.seeder.resolve({ url, headers: {} })));
  t.is(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
  held.open();
});

test("what a connected peer still lacks is not evicted; when it has all, or leaves, it may be", async (t) => {
  await using at = await setUp();
  const task = await at.fetch("a", 2);
  const peerFolder = join(at.data, "peer");
  const engine = await openEngine({
    listen: { host: "127.0.0.1", port: 0 },
    role: "peer",
    peerId: makePeerId("peer", randomBytes(20)),
    uploadBytesPerSecond: 0,
    downloadBytesPerSecond: 64 * 1024,
    logger: silentLogger,
  });
  t.teardown(() => engine[Symbol.asyncDispose]());
  const liveInfo = Buffer.from(task.liveInfo, "base64");
  const { geometry, name } = parseLiveInfo(liveInfo);
  const torrent = await engine.add({ directory: peerFolder, name, geometry, liveInfo });
  const { host, port } = at.setting.engine.address;
  torrent.addPeers([{ host, port, seeder: true }]);
  torrent.download(true);
  await once(torrent, "piece", { signal: AbortSignal.timeout(20_000) });
  at.time.nowMs += 3_600_000;
  t.like(await at.seeder.collect({ bytes: 0 }), { removed: 0 });
  t.true((await at.seeder.cacheReport()).tasks[0].active);
  // pieces served are a use; the next may take a moment at this rate
  await until(async () => {
    await at.seeder.lookAfterDisk();
    return (await at.seeder.cacheReport()).tasks[0].lastUsedMs === Math.floor(at.time.nowMs);
  }, 20_000);
  engine.setLimits({ downloadBytesPerSecond: 0 });
  if (!torrent.complete) await once(torrent, "complete", { signal: AbortSignal.timeout(20_000) });
  await engine[Symbol.asyncDispose]();
  while ((await at.seeder.cacheReport()).tasks[0].active) await new Promise(setImmediate);
  t.like(await at.seeder.collect({ bytes: 0 }), { removed: 1 });
});

test("a restart clears away what a spool left", async (t) => {
  await using at = await setUp();
  await at.setting[Symbol.asyncDispose]();
  await mkdir(join(at.data, "spool"), { recursive: true });
  await writeFile(join(at.data, "spool", "old.spool"), "x");
  await using _again = await SeederSetting.start(at.data, at.options);
  await t.throwsAsync(access(join(at.data, "spool", "old.spool")));
});
