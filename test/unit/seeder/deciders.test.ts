/** What the seeder decides: freshness, conditions, versions, room, and who has to leave. */
import test from "ava";
import { readCacheControl } from "../../../seeder/cache-control.ts";
import { conditionalRequest, isUnchanged, sameValidators } from "../../../seeder/conditional-request.ts";
import { callerOf } from "../../../seeder/credentials.ts";
import { Registrations } from "../../../seeder/registrations.ts";
import { DRAIN_MS, GONE_GRACE_MS, isDue, NO_STORE_MS, type RetentionFacts } from "../../../seeder/retention.ts";
import { type CacheLimits, chooseVictims, parseQuota, planRoom } from "../../../seeder/room-plan.ts";
import { cacheLimitsOf } from "../../../seeder/seeder-command.ts";
import { Unversioned } from "../../../seeder/unversioned.ts";
import { parseCacheSize, parsePercent } from "../../../system/cache-size.ts";
import { SkimmerError } from "../../../system/errors.ts";
import type { TaskId } from "../../../torrents/ids.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const DAY_MS = 86_400_000;
const id = (digit: string): TaskId => digit.repeat(64) as TaskId;

for (const [text, expected] of [
  ["", { freshMs: 0, store: true, private: false }],
  ["max-age=60", { freshMs: 60_000, store: true, private: false }],
  ["Public, Max-Age=60", { freshMs: 60_000, store: true, private: false }],
  ["max-age=60, s-maxage=5", { freshMs: 5000, store: true, private: false }],
  ['max-age="60"', { freshMs: 60_000, store: true, private: false }],
  ["max-age=60, no-cache", { freshMs: 0, store: true, private: false }],
  ['no-cache="set-cookie", max-age=60', { freshMs: 0, store: true, private: false }],
  ["no-store, max-age=60", { freshMs: 0, store: false, private: false }],
  ["private, max-age=60", { freshMs: 60_000, store: true, private: true }],
  ["max-age=-1", { freshMs: 0, store: true, private: false }],
  ["max-age=soon, ,=,", { freshMs: 0, store: true, private: false }],
  ["max-age=99999999999999", { freshMs: 0, store: true, private: false }],
  ["max-age=9999999999", { freshMs: DAY_MS, store: true, private: false }],
] as const)
  test(`readCacheControl(${JSON.stringify(text)})`, (t) => t.deepEqual(readCacheControl(text), expected));

test("conditionalRequest() puts our condition in place of the caller's", (t) => {
  const request = { url: "http://h/f", headers: { "If-None-Match": "*", "if-modified-since": "x", accept: "a" } };
  t.deepEqual(conditionalRequest(request, undefined).headers, { accept: "a" });
  t.deepEqual(conditionalRequest(request, { etag: '"1"', lastModified: "d" }).headers, { accept: "a", "if-none-match": '"1"' });
  t.deepEqual(conditionalRequest(request, { lastModified: "d" }).headers, { accept: "a", "if-modified-since": "d" });
});

test("isUnchanged() is for the origin's 304 only", (t) => {
  t.true(isUnchanged(new SkimmerError("origin_failed", "x", { status: 304 })));
  t.false(isUnchanged(new SkimmerError("origin_failed", "x", { status: 500 })));
  t.false(isUnchanged(new Error("304")));
});

test("sameValidators() is false where there are none", (t) => {
  t.false(sameValidators({}, {}));
  t.true(sameValidators({ etag: "a" }, { etag: "a" }));
  t.false(sameValidators({ etag: "a" }, { etag: "a", lastModified: "d" }));
});

test("callerOf() tells callers apart by URL and headers, contents by what counts for the identity", (t) => {
  const base = { url: "http://h/f?sig=1", headers: {}, filter: ["sig"] };
  const other = { ...base, url: "http://h/f?sig=2" };
  t.not(callerOf(base).key, callerOf(other).key);
  t.is(callerOf(base).content, callerOf(other).content);
  t.true(callerOf(base).hasCredentials, "a signature in the URL is one");
  const open = { url: "http://h/f", headers: { Accept: "a", "X-B": "b" } };
  t.is(callerOf(open).key, callerOf({ ...open, headers: { "x-b": "b", accept: "a" } }).key);
  t.false(callerOf(open).hasCredentials);
  t.not(callerOf(open).content, callerOf({ ...open, headers: { cookie: "c" } }).content);
  t.true(callerOf({ url: "http://user:pw@h/f", headers: {} }).hasCredentials);
});

test("Registrations: fresh for the accepted caller, until its time; latest for all", (t) => {
  const registrations = new Registrations();
  const alice = callerOf({ url: "http://h/f", headers: { authorization: "a" } });
  const bob = callerOf({ url: "http://h/f", headers: { authorization: "b" } });
  t.is(registrations.accept(alice, id("1"), 1000), undefined);
  t.is(registrations.fresh(alice, 999), id("1"));
  t.is(registrations.fresh(alice, 1000), undefined);
  t.is(registrations.fresh(bob, 0), undefined);
  t.is(registrations.latest(bob.content), id("1"));
  t.is(registrations.accept(bob, id("2"), 0), id("1"), "the version that is replaced");
  t.is(registrations.accept(bob, id("2"), 0), undefined);
  t.true(registrations.hasAccepted(alice, id("1")));
  t.false(registrations.hasAccepted(alice, id("2")));
  registrations.refuse(alice);
  t.is(registrations.fresh(alice, 0), undefined);
});

test("Unversioned: one download for those who come together, another one later", (t) => {
  const unversioned = new Unversioned();
  let made = 0;
  const live = new Set<TaskId>();
  const ask = (nowMs: number, more: { lengthBytes?: number; freshMs?: number } = {}): TaskId =>
    unversioned.identify("k", {
      lengthBytes: 5,
      freshMs: 0,
      nowMs,
      isLive: (task) => live.has(task),
      make: () => id(String(++made)),
      ...more,
    });
  t.is(ask(0), id("1"));
  t.is(ask(29_999), id("1"));
  live.add(id("1"));
  t.is(ask(90_000), id("1"), "while it is fetched");
  live.clear();
  t.is(ask(90_000, { freshMs: 60_000 }), id("2"));
  t.is(ask(149_999), id("2"), "the origin says that it holds for a minute");
  t.is(ask(149_999, { lengthBytes: 6 }), id("3"), "surely another one");
});

const IDLE: RetentionFacts = {
  nowMs: 1e6,
  lastUsedMs: 0,
  active: false,
  pinned: false,
  replaced: false,
  goneSinceMs: undefined,
  noStore: false,
};

test("isDue(): what is current stays, however old", (t) => t.false(isDue(IDLE)));

for (const [name, facts, waitMs] of [
  ["replaced", { replaced: true, lastUsedMs: 1000 }, DRAIN_MS],
  ["gone", { goneSinceMs: 1000 }, GONE_GRACE_MS],
  ["not to be stored", { noStore: true, lastUsedMs: 1000 }, NO_STORE_MS],
] as const) {
  test(`isDue(): what is ${name} leaves after its time, unless it is active or pinned`, (t) => {
    t.false(isDue({ ...IDLE, ...facts, nowMs: 1000 + waitMs - 1 }));
    const late = { ...IDLE, ...facts, nowMs: 1000 + waitMs };
    t.true(isDue(late));
    t.false(isDue({ ...late, active: true }));
    t.false(isDue({ ...late, pinned: true }));
  });
}

test("parseCacheSize() reads bytes and shares", (t) => {
  t.deepEqual(parseCacheSize("100GB"), { bytes: 100e9 });
  t.deepEqual(parseCacheSize("80%"), { share: 0.8 });
  t.deepEqual(parseCacheSize(" 12.5% "), { share: 0.125 });
  for (const bad of ["", "80 %%", "101%", "-1%", "much", "%"]) t.throws(() => parseCacheSize(bad), { instanceOf: SkimmerError }, bad);
  t.throws(() => parsePercent("80"), { instanceOf: SkimmerError });
  t.deepEqual(parseQuota("0"), { share: 1 });
  t.deepEqual(parseQuota("1k"), { bytes: 1000 });
});

test("cacheLimitsOf() refuses a low mark above the high one", (t) => {
  const flags = { cacheSize: { bytes: 1 }, cacheHigh: 0.5, cacheLow: 0.6 };
  t.throws(() => cacheLimitsOf(flags), { instanceOf: SkimmerError, message: /cache-low 60% is above --cache-high 50%/ });
});

const LIMITS: CacheLimits = { size: { bytes: 100 * MIB }, high: 0.9, low: 0.7 };
const ROOMY = { totalBytes: 10 * GIB, availableBytes: 10 * GIB, usedBytes: 0, comingBytes: 0 };

test("planRoom(): nothing goes up to the high mark, above it down to the low one", (t) => {
  t.like(planRoom(LIMITS, { ...ROOMY, usedBytes: 80 * MIB }, 10 * MIB), { evictBytes: 0, mustEvictBytes: 0, quotaBytes: 100 * MIB });
  // 80 + 11 = 91 > 90: down to 70
  t.like(planRoom(LIMITS, { ...ROOMY, usedBytes: 80 * MIB }, 11 * MIB), { evictBytes: 21 * MIB, mustEvictBytes: 0 });
  // 80 + 15 + 10 = 105: 5 above the size
  t.like(planRoom(LIMITS, { ...ROOMY, usedBytes: 80 * MIB, comingBytes: 15 * MIB }, 10 * MIB), {
    evictBytes: 35 * MIB,
    mustEvictBytes: 5 * MIB,
  });
});

test("planRoom(): what others have on the disk counts only where it leaves too little", (t) => {
  const disk = { totalBytes: 500 * MIB, availableBytes: 30 * MIB, usedBytes: 10 * MIB, comingBytes: 4 * MIB };
  // 16 reserve + 4 coming + 10 needed − 30 available
  t.like(planRoom(LIMITS, disk, 10 * MIB), { mustEvictBytes: 0 });
  t.like(planRoom(LIMITS, disk, 15 * MIB), { mustEvictBytes: 5 * MIB, evictBytes: 5 * MIB });
});

test("planRoom(): a share is one of the whole file system", (t) => {
  t.is(planRoom({ ...LIMITS, size: { share: 0.5 } }, ROOMY, 0).quotaBytes, 5 * GIB);
});

const cached = (digit: string, bytes: number, lastUsedMs: number, more: { pinned?: boolean; active?: boolean } = {}) => ({
  id: id(digit),
  bytes,
  lastUsedMs,
  pinned: false,
  active: false,
  ...more,
});

test("chooseVictims() takes the least recently used, as many as needed, never pinned or active ones", (t) => {
  const tasks = [
    cached("1", 10, 50),
    cached("2", 10, 10, { pinned: true }),
    cached("3", 10, 20, { active: true }),
    cached("4", 10, 40),
    cached("5", 0, 5),
    cached("6", 10, 30),
  ];
  const victims = (bytes: number) => chooseVictims(tasks, bytes).map((task) => task.id[0]);
  t.deepEqual(victims(0), []);
  t.deepEqual(victims(-5), []);
  t.deepEqual(victims(1), ["6"]);
  t.deepEqual(victims(20), ["6", "4"]);
  t.deepEqual(victims(1000), ["6", "4", "1"], "what cannot go stays");
});

test("chooseVictims() keeps the number of tasks bounded, however small they are", (t) => {
  const tasks = Array.from({ length: 10_003 }, (_, at) => cached("0", 0, at));
  t.deepEqual(
    chooseVictims(tasks, 0).map((task) => task.lastUsedMs),
    [0, 1, 2],
  );
});
