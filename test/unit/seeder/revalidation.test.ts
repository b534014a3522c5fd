/** What the seeder asks the origin at each registration, and what it makes of the answers. */
import test, { type ExecutionContext } from "ava";
import { DRAIN_MS, GONE_GRACE_MS, NO_STORE_MS } from "../../../seeder/retention.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { type OriginFile, ScriptedOrigin, seededBytes } from "../../support/scripted-origin.ts";
import { gate, MIB, SeederSetting } from "./setting.ts";

const CONTENT = seededBytes(31, MIB + 5);
const ALICE = { authorization: "Bearer alice" };
const BOB = { authorization: "Bearer bob" };
const YESTERDAY = "Fri, 20 Nov 2026 10:00:00 GMT";
const TODAY = "Sat, 21 Nov 2026 10:00:00 GMT";

async function setUp(behaviour: Partial<OriginFile> = {}, options: Parameters<typeof SeederSetting.start>[1] = {}) {
  const folder = await temporaryFolder();
  const server = await ScriptedOrigin.start();
  const { url, file } = server.add("/file.bin", CONTENT, behaviour);
  const time = { nowMs: Date.now() };
  const setting = await SeederSetting.start(folder.path, { nowMs: () => time.nowMs, ...options });
  const { seeder } = setting;
  const resolve = (more: Partial<Parameters<typeof seeder.resolve>[0]> = {}) => seeder.resolve({ url, headers: {}, ...more });
  return {
    server,
    file,
    setting,
    seeder,
    time,
    data: folder.path,
    resolve,
    /** A task that is complete. */
    async final(more?: Parameters<typeof resolve>[0]) {
      const { id } = await resolve(more);
      return setting.reaches(id, "final");
    },
    /** Requests to the origin while `act` runs. */
    async requestsOf(act: () => Promise<unknown>) {
      const before = server.requests.length;
      await act();
      return server.requests.slice(before);
    },
    /** Lets time pass, and has the seeder look after its tasks. */
    async wait(ms: number) {
      time.nowMs += ms;
      await seeder.lookAfterDisk();
    },
    async [Symbol.asyncDispose]() {
      await setting[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function refused(t: ExecutionContext, promise: Promise<unknown>, expected: object): Promise<void> {
  t.like(await t.throwsAsync(promise), { name: "SkimmerError", ...expected });
}

test("a second registration asks with If-None-Match, and 304 is enough", async (t) => {
  await using at = await setUp();
  const { id } = await at.final();
  const [request, ...more] = await at.requestsOf(async () => t.is((await at.resolve()).id, id));
  t.is(request.headers["if-none-match"], at.file.etag);
  t.deepEqual(more, []);
  t.is(at.server.bytesSent, CONTENT.length + 1, "the content once, and the first probe's byte");
});

test("where there is no ETag it asks with If-Modified-Since", async (t) => {
  await using at = await setUp({ etag: undefined, lastModified: YESTERDAY });
  const { id } = await at.final();
  const [request] = await at.requestsOf(async () => t.is((await at.resolve()).id, id));
  t.is(request.headers["if-modified-since"], YESTERDAY);
  at.file.lastModified = TODAY;
  t.not((await at.resolve()).id, id);
});

test("an origin that ignores conditions is taken at its validators", async (t) => {
  await using at = await setUp({ noConditions: true });
  const { id } = await at.final();
  t.is((await at.resolve()).id, id);
  t.is(at.server.bytesSent, CONTENT.length + 2);
});

test("content of unknown length is asked for with a condition too", async (t) => {
  await using at = await setUp({ chunked: true });
  const { id } = await at.resolve();
  const requests = await at.requestsOf(async () => t.like(await at.resolve(), { id, state: "final" }));
  t.is(requests.length, 1);
  at.file.noConditions = true;
  const again = await at.requestsOf(async () => t.like(await at.resolve(), { id, state: "final" }));
  t.is(again.length, 1, "equal validators: not read again");
});

test("callers who come together for content of unknown length share one read of it", async (t) => {
  await using at = await setUp({ chunked: true });
  const tasks = await Promise.all([1, 2, 3].map((each) => at.resolve({ headers: { "x-caller": String(each) } })));
  t.is(new Set(tasks.map(({ id }) => id)).size, 1);
  t.is(at.server.requests.filter(({ range }) => range === undefined).length, 1);
});

test("max-age spares the question for callers whom the origin accepted, and for them only", async (t) => {
  await using at = await setUp({ cacheControl: "max-age=60", authorization: ALICE.authorization });
  const { id } = await at.final({ headers: ALICE });
  t.is((await at.requestsOf(async () => t.is((await at.resolve({ headers: ALICE })).id, id))).length, 0);
  await refused(t, at.resolve({ headers: BOB }), { code: "origin_refused", status: 401 });
  await refused(t, at.resolve(), { code: "origin_refused", status: 401 });
  at.time.nowMs += 60_000;
  t.is((await at.requestsOf(() => at.resolve({ headers: ALICE }))).length, 1);
});

test("a refusal ends a caller's freshness, and leaves the task to others", async (t) => {
  await using at = await setUp({ cacheControl: "max-age=60", authorization: ALICE.authorization });
  const { id } = await at.final({ headers: ALICE });
  at.time.nowMs += 60_001;
  at.file.authorization = BOB.authorization;
  await refused(t, at.resolve({ headers: ALICE }), { code: "origin_refused", status: 401 });
  t.like(await at.resolve({ headers: BOB }), { id, state: "final" });
  t.is(at.setting.shape(id)?.state, "final");
});

test("no-store is fetched for who asks, and removed after use", async (t) => {
  await using at = await setUp({ cacheControl: "no-store" });
  const { id } = await at.final();
  await at.wait(NO_STORE_MS - 1);
  t.is(at.setting.shape(id)?.state, "final", "a caller may still be on its way");
  await at.wait(1);
  t.is(at.setting.shape(id), undefined);
  t.true(at.setting.news.has(id));
});

test("Cache-Control: private makes a private task", async (t) => {
  await using at = await setUp({ cacheControl: "private" });
  t.true((await at.resolve()).private);
  at.file.cacheControl = "public";
  at.file.etag = '"2"';
  t.false((await at.resolve()).private);
});

test("another version: the old one is drained when nobody uses it any more", async (t) => {
  await using at = await setUp();
  const old = await at.final();
  at.file.content = seededBytes(32, MIB);
  at.file.etag = '"new"';
  const fresh = await at.final();
  t.not(fresh.id, old.id);
  await at.wait(DRAIN_MS - 1);
  t.is(at.setting.shape(old.id)?.state, "final");
  await at.wait(1);
  t.is(at.setting.shape(old.id), undefined);
  t.is(at.setting.shape(fresh.id)?.state, "final");
});

test("two origins behind one name that disagree do not make the seeder fetch for ever", async (t) => {
  await using at = await setUp();
  const one = at.file.etag;
  await at.final();
  at.file.etag = '"other"';
  await at.final();
  const before = at.server.bytesSent;
  for (let round = 0; round < 4; round++) {
    at.file.etag = round % 2 === 0 ? one : '"other"';
    await at.wait(DRAIN_MS / 3);
    await at.final();
  }
  t.true(at.server.bytesSent - before <= 4, "probes only");
});

for (const status of [404, 410])
  test(`${status} removes the task after a grace, unless it comes back`, async (t) => {
    await using at = await setUp();
    const { id } = await at.final();
    at.file.status = status;
    await refused(t, at.resolve(), { code: "origin_not_found", status });
    await at.wait(GONE_GRACE_MS - 1);
    t.is(at.setting.shape(id)?.state, "final");
    at.file.status = undefined;
    // other headers: the refusal is shared for a moment
    t.is((await at.resolve({ headers: { "x-again": "1" } })).id, id);
    await at.wait(GONE_GRACE_MS);
    t.is(at.setting.shape(id)?.state, "final", "it was a mistake");
    at.file.status = status;
    await refused(t, at.resolve({ headers: { "x-again": "2" } }), { code: "origin_not_found" });
    await at.wait(GONE_GRACE_MS);
    t.is(at.setting.shape(id), undefined);
  });

test("a stranger's 404 does not take a private task from those who may have it", async (t) => {
  await using at = await setUp();
  const { id } = await at.final({ headers: ALICE });
  at.file.status = 404;
  await refused(t, at.resolve({ headers: BOB }), { code: "origin_not_found" });
  await at.wait(GONE_GRACE_MS);
  t.is(at.setting.shape(id)?.state, "final");
});

test("a failing origin fails the registration; what is stored stays", async (t) => {
  await using at = await setUp();
  const { id } = await at.final();
  at.file.status = 500;
  await refused(t, at.resolve(), { code: "origin_failed", status: 500 });
  await at.wait(GONE_GRACE_MS);
  t.is(at.setting.shape(id)?.state, "final");
});

test("without anything that tells versions apart, callers share a download for a short time only", async (t) => {
  await using at = await setUp({ etag: undefined });
  const { id } = await at.final();
  t.is((await at.resolve()).id, id);
  at.file.content = seededBytes(33, CONTENT.length);
  at.time.nowMs += 31_000;
  const fresh = await at.final();
  t.not(fresh.id, id, "the same length is no proof of the same content");
});

test("private content without validators is shared with nobody", async (t) => {
  await using at = await setUp({ etag: undefined });
  const alice = await at.resolve({ headers: ALICE });
  t.is((await at.resolve({ headers: ALICE })).id, alice.id);
  t.not((await at.resolve({ headers: BOB })).id, alice.id, "the same length may be another user's page");
  t.not((await at.resolve({ headers: BOB, digest: `sha256:${"0".repeat(64)}` })).id, alice.id);
});

test("a date is no proof for another caller's private content", async (t) => {
  await using at = await setUp({ etag: undefined, lastModified: TODAY });
  const alice = await at.final({ headers: ALICE });
  // Bob's own is older: asked by date, the origin would say 304
  at.file.lastModified = YESTERDAY;
  const [request] = await at.requestsOf(async () => t.not((await at.resolve({ headers: BOB })).id, alice.id));
  t.is(request.headers["if-modified-since"], undefined);
});

test("1,000 registrations at once: one probe for each credential, one download for each content", async (t) => {
  await using at = await setUp();
  const credentials: Record<string, string>[] = [{}, ALICE, BOB, { cookie: "c=1" }];
  const tasks = await Promise.all(Array.from({ length: 1000 }, (_, each) => at.resolve({ headers: credentials[each % 4] })));
  const ids = new Set(tasks.map(({ id }) => id));
  t.is(ids.size, 2, "the public one, and the private one");
  for (const id of ids) await at.setting.reaches(id, "final");
  t.is(at.server.requests.filter(({ range }) => range === "bytes=0-0").length, 4);
  t.is(at.server.bytesSent, 2 * CONTENT.length + 4);
});

test("after a restart the stored task is asked about with a condition, and replaced by another version", async (t) => {
  await using at = await setUp();
  const { id } = await at.final();
  await at.setting[Symbol.asyncDispose]();
  await using again = await SeederSetting.start(at.data, { nowMs: () => at.time.nowMs });
  const [request] = await at.requestsOf(async () =>
    t.is((await again.seeder.resolve({ url: `${at.server.url}/file.bin`, headers: {} })).id, id),
  );
  t.is(request.headers["if-none-match"], at.file.etag);
  at.file.etag = '"new"';
  await again.seeder.resolve({ url: `${at.server.url}/file.bin`, headers: {} });
  at.time.nowMs += DRAIN_MS;
  await again.seeder.lookAfterDisk();
  t.is(again.shape(id), undefined);
});

test("an interrupted fetch that is asked for with new credentials goes on with those", async (t) => {
  const held = gate(MIB / 2);
  await using at = await setUp({ authorization: ALICE.authorization }, { throttle: held.throttle });
  const { id } = await at.resolve({ headers: ALICE });
  at.file.authorization = BOB.authorization;
  at.file.breakAfterBytes = 1;
  at.file.breakTimes = 3;
  held.open();
  const outcome = await Promise.race([at.setting.reaches(id, "failed"), at.setting.reaches(id, "final")]);
  if (outcome.state === "failed") t.is(outcome.error?.code, "origin_refused");
  at.file.breakTimes = 0;
  t.is((await at.resolve({ headers: BOB })).id, id);
  t.is((await at.setting.reaches(id, "final")).error, undefined);
});
