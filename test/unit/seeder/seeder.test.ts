/** The seeder's answers: who may have what, what the origin is asked, and what survives. */
import { access, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Origin } from "../../../origin/types.ts";
import type { ErrorCode } from "../../../system/errors.ts";
import { INLINE_BYTES } from "../../../torrents/task-api.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { type OriginFile, ScriptedOrigin, seededBytes } from "../../support/scripted-origin.ts";
import { gate, MIB, SeederSetting } from "./setting.ts";

const CONTENT = seededBytes(21, 2 * MIB + 77);
const ALICE = { authorization: "Bearer alice" };
const BOB = { authorization: "Bearer bob" };

/** An origin with one file at /dir/file.bin, and a seeder. */
async function setUp(behaviour: Partial<OriginFile> = {}, options: Parameters<typeof SeederSetting.start>[1] = {}) {
  const folder = await temporaryFolder();
  const server = await ScriptedOrigin.start();
  const { url, file } = server.add("/dir/file.bin", CONTENT, behaviour);
  const setting = await SeederSetting.start(folder.path, options);
  const { seeder } = setting;
  return {
    server,
    url,
    file,
    seeder,
    setting,
    data: folder.path,
    resolve: (more: Partial<Parameters<typeof seeder.resolve>[0]> = {}) => seeder.resolve({ url, headers: {}, ...more }),
    async [Symbol.asyncDispose]() {
      await setting[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function fails(t: ExecutionContext, promise: Promise<unknown>, expected: { code: ErrorCode; status?: number }) {
  t.like(await t.throwsAsync(promise), { name: "SkimmerError", ...expected });
}

test("resolve() answers after the probe, with the fetch still to come", async (t) => {
  const held = gate();
  await using at = await setUp({}, { throttle: held.throttle });
  const task = await at.resolve();
  t.like(task, { state: "live", name: "file.bin", lengthBytes: CONTENT.length, url: at.url, private: false, piecesReady: 0 });
  t.is(task.final, undefined);
  held.open();
  const final = await at.setting.reaches(task.id, "final");
  t.is(final.infoHash, task.infoHash);
  t.is(final.piecesReady, Math.ceil(CONTENT.length / task.pieceLengthBytes));
  t.truthy(final.final?.infoV1 && final.final.infoV2 && final.final.signature);
  t.is(at.server.bytesSent, CONTENT.length + 1, "one copy, and the probe's byte");
  t.is(at.setting.news.get(task.id)?.state, "final", "the supernode was told");
});

for (const lengthBytes of [0, 1, INLINE_BYTES]) {
  test(`resolve() of ${lengthBytes} bytes answers with the content, final`, async (t) => {
    await using at = await setUp({ content: seededBytes(3, lengthBytes) });
    const task = await at.resolve();
    t.like(task, { state: "final", lengthBytes });
    t.true(Buffer.from(task.inline ?? "none", "base64").equals(at.file.content));
  });
}

test("resolve() of one byte more than fits inline answers without the content", async (t) => {
  await using at = await setUp({ content: seededBytes(3, INLINE_BYTES + 1) });
  const task = await at.resolve();
  await at.setting.reaches(task.id, "final");
  t.is((await at.resolve()).inline, undefined);
});

for (const [status, code] of [
  [401, "origin_refused"],
  [403, "origin_refused"],
  [404, "origin_not_found"],
  [500, "origin_failed"],
] as const) {
  test(`resolve() passes the origin's ${status} on, and asks once for callers who come together`, async (t) => {
    await using at = await setUp({ status });
    await Promise.all([1, 2, 3].map(() => fails(t, at.resolve(), { code, status })));
    await fails(t, at.resolve(), { code, status });
    t.is(at.server.requests.length, 1);
    t.deepEqual(at.seeder.shapes, []);
  });
}

test("resolve() shares a refusal with callers of the same headers only", async (t) => {
  await using at = await setUp({ authorization: ALICE.authorization });
  await fails(t, at.resolve(), { code: "origin_refused", status: 401 });
  await fails(t, at.resolve({ headers: BOB }), { code: "origin_refused", status: 401 });
  t.like(await at.resolve({ headers: ALICE }), { private: true });
});

test("equal resolves at once make one probe and one task", async (t) => {
  await using at = await setUp();
  const tasks = await Promise.all(Array.from({ length: 20 }, () => at.resolve()));
  t.is(new Set(tasks.map(({ id }) => id)).size, 1);
  await at.setting.reaches(tasks[0].id, "final");
  t.is(at.server.requests.filter(({ range }) => range === "bytes=0-0").length, 1);
  t.is(at.server.bytesSent, CONTENT.length + 1);
});

test("each later resolve probes again, and fetches nothing where the validators are the same", async (t) => {
  await using at = await setUp();
  const { id } = await at.resolve();
  await at.setting.reaches(id, "final");
  const before = at.server.bytesSent;
  t.like(await at.resolve(), { id, state: "final" });
  t.is(at.server.bytesSent, before, "the origin says 304");
});

test("other validators are another task; the old one stays as it is", async (t) => {
  await using at = await setUp();
  const old = await at.resolve();
  await at.setting.reaches(old.id, "final");
  at.file.content = seededBytes(22, MIB);
  at.file.etag = '"new"';
  const fresh = await at.resolve();
  t.not(fresh.id, old.id);
  t.not(fresh.infoHash, old.infoHash);
  await at.setting.reaches(fresh.id, "final");
  t.is(at.setting.shape(old.id)?.state, "final");
});

test("what a filtered parameter proves is asked of each caller, however close together they come", async (t) => {
  await using at = await setUp();
  const allowed: Origin["probe"] = async ({ url }) => {
    if (new URL(url).searchParams.get("sig") !== "good") throw Object.assign(new Error("refused"), { refused: true });
    return { lengthBytes: CONTENT.length, ranges: true, validators: { etag: at.file.etag }, name: "f", cacheControl: "" };
  };
  const origin: Origin = { probe: allowed, read: () => Promise.resolve(), close: () => Promise.resolve() };
  await using other = await SeederSetting.start(join(at.data, "other"), { origin, throttle: gate().throttle });
  const resolve = (sig: string) => other.seeder.resolve({ url: `${at.url}?sig=${sig}`, headers: {}, filter: ["sig"] });
  const [good, bad] = await Promise.allSettled([resolve("good"), resolve("bad")]);
  t.is(good.status, "fulfilled");
  t.is(bad.status, "rejected", "who cannot sign gets nothing");
  t.is((await Promise.allSettled([resolve("good")]))[0].status, "fulfilled", "and spoils nothing for who can");
});

test("content behind credentials is a private task that callers with other accepted credentials share", async (t) => {
  await using at = await setUp();
  const open = await at.resolve();
  const [alice, bob] = [await at.resolve({ headers: ALICE }), await at.resolve({ headers: BOB })];
  t.true(alice.private);
  t.is(alice.id, bob.id);
  t.not(alice.infoHash, open.infoHash);
  await using other = await SeederSetting.start(join(at.data, "other"), { salt: Buffer.alloc(32, 8) });
  const elsewhere = await other.seeder.resolve({ url: at.url, headers: ALICE });
  t.not(elsewhere.id, alice.id, "who lacks the salt cannot name it");
});

test("credentials that end during the fetch are replaced by those of the next caller", async (t) => {
  const held = gate(CONTENT.length / 2);
  await using at = await setUp({ breakAfterBytes: 300_000, authorization: ALICE.authorization }, { throttle: held.throttle });
  const { id } = await at.resolve({ headers: ALICE });
  at.file.authorization = BOB.authorization;
  t.is((await at.resolve({ headers: BOB })).id, id);
  at.file.breakTimes = 1;
  held.open();
  await at.setting.reaches(id, "final");
  t.true(at.server.requests.some(({ headers }) => headers.authorization === BOB.authorization));
});

test("a fetch that failed is told, and tried again by the next resolve", async (t) => {
  const held = gate();
  await using at = await setUp({}, { throttle: held.throttle });
  const { id } = await at.resolve();
  const etag = at.file.etag;
  at.file.etag = '"changed"';
  at.file.breakAfterBytes = 100_000;
  at.file.breakTimes = 4;
  held.open();
  const failed = await at.setting.reaches(id, "failed");
  t.is(failed.error?.code, "origin_changed");
  t.is(at.setting.news.get(id)?.error?.code, "origin_changed");
  at.file.etag = etag;
  at.file.breakTimes = 0;
  t.like(await at.resolve(), { id, error: undefined });
  await at.setting.reaches(id, "final");
});

test("content of unknown length is final at once, and not fetched again for the same version", async (t) => {
  await using at = await setUp({ chunked: true });
  const task = await at.resolve();
  t.like(task, { state: "final", lengthBytes: CONTENT.length });
  const before = at.server.bytesSent;
  t.like(await at.resolve(), { id: task.id, state: "final" });
  t.true(at.server.bytesSent - before < CONTENT.length / 2, `${at.server.bytesSent - before} bytes for a second look`);
  at.file.etag = '"new"';
  t.not((await at.resolve()).id, task.id);
  t.deepEqual(await readdir(join(at.data, "spool")), [], "no spool is left");
});

test("a window is a task of its own", async (t) => {
  await using at = await setUp();
  const whole = await at.resolve();
  const part = await at.resolve({ range: "1000-1999" });
  t.not(part.id, whole.id);
  t.true(Buffer.from(part.inline ?? "", "base64").equals(CONTENT.subarray(1000, 2000)));
});

test("after a restart complete tasks seed at once, without a request", async (t) => {
  await using at = await setUp();
  const { id } = await at.resolve();
  const final = await at.setting.reaches(id, "final");
  await at.setting[Symbol.asyncDispose]();
  const before = at.server.requests.length;
  await using again = await SeederSetting.start(at.data);
  t.deepEqual(again.seeder.shapes, [{ ...final, inline: undefined }]);
  t.is(at.server.requests.length, before);
});

test("after a restart an unfinished task goes on with what is missing only", async (t) => {
  const held = gate(MIB);
  await using at = await setUp({}, { throttle: held.throttle });
  const { id } = await at.resolve({ headers: ALICE });
  await using other = await SeederSetting.start(join(at.data, "other"));
  const mine = await other.seeder.resolve({ url: at.url, headers: {} });
  await other.reaches(mine.id, "final");
  const one = at.server.bytesSent;
  await at.setting[Symbol.asyncDispose]();
  await using again = await SeederSetting.start(at.data);
  t.is(again.shape(id)?.private, true);
  await again.reaches(id, "final");
  t.true(at.server.bytesSent - one <= CONTENT.length);
  t.deepEqual(at.server.requests.at(-1)?.headers["if-range"], at.file.etag);
  t.is(at.server.requests.at(-1)?.headers.authorization, ALICE.authorization);
});

test("what a restart finds damaged is left out, the rest comes back", async (t) => {
  await using at = await setUp();
  const { id } = await at.resolve();
  await at.setting.reaches(id, "final");
  await at.setting[Symbol.asyncDispose]();
  for (const [name, text] of [
    ["00".repeat(32), "{"],
    ["11".repeat(32), '{"request":{"url":5}}'],
    ["22".repeat(32), "null"],
    ["not-a-task", "{}"],
  ]) {
    await mkdir(join(at.data, "tasks", name));
    await writeFile(join(at.data, "tasks", name, "task.json"), text);
  }
  await using again = await SeederSetting.start(at.data);
  t.deepEqual(
    again.seeder.shapes.map((shape) => shape.id),
    [id],
  );
});

test("delete() takes the task and its files; the next resolve makes it anew", async (t) => {
  const held = gate(MIB);
  await using at = await setUp({}, { throttle: held.throttle });
  const { id } = await at.resolve();
  await at.seeder.delete(id);
  t.deepEqual(at.seeder.shapes, []);
  t.true(at.setting.news.has(id));
  t.is(at.setting.news.get(id), undefined);
  await t.throwsAsync(access(join(at.data, "tasks", id)));
  await fails(t, at.seeder.delete(id), { code: "not_found" });
  held.open();
  t.is((await at.resolve()).id, id);
  await at.setting.reaches(id, "final");
});

test("a task whose file cannot be written is no task", async (t) => {
  await using at = await setUp();
  const { id } = await at.resolve();
  await at.setting.reaches(id, "final");
  await at.seeder.delete(id);
  await mkdir(join(at.data, "tasks", id, "task.json.new"), { recursive: true });
  await t.throwsAsync(at.resolve());
  t.deepEqual(at.seeder.shapes, []);
});

test("credentials on disk are for the owner's eyes, and task.json holds what a restart needs", async (t) => {
  await using at = await setUp();
  const { id } = await at.resolve({ headers: ALICE });
  const path = join(at.data, "tasks", id, "task.json");
  t.is((await stat(path)).mode & 0o777, 0o600);
  t.like(JSON.parse(await readFile(path, "utf8")), { request: { url: at.url, headers: ALICE }, private: true, ranges: true });
});

test("an origin that never answers is a timeout, not an internal error", async (t) => {
  const silent: Origin = {
    probe: (_, { signal }) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    read: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  await using at = await setUp({}, { origin: silent, resolveLimitMs: 20 });
  // AbortSignal.timeout() does not keep the process alive
  const alive = setTimeout(() => undefined, 5000);
  await fails(t, at.resolve(), { code: "timeout" });
  clearTimeout(alive);
});
