import test from "ava";
import { planKeeping } from "../../../../tracker/pages/browser/keep-plan.ts";

const CHROMIUM = { capable: true, secure: true, store: true, freeBytes: 10e9, picker: true };
const OLD = { ...CHROMIUM, store: false, freeBytes: undefined, picker: false };

test("planKeeping() keeps in the browser's own store, where there is room", (t) => {
  t.is(planKeeping(5e9, CHROMIUM).kind, "store");
  t.like(planKeeping(11e9, CHROMIUM), { kind: "refused" });
  t.regex(planKeeping(11e9, CHROMIUM).note, /room for 10\.0 GB, and the file needs 11\.0 GB/);
  t.is(planKeeping(5e9, { ...CHROMIUM, freeBytes: undefined }).kind, "store");
});

test("planKeeping() says what saving costs where no file can be chosen", (t) => {
  t.regex(planKeeping(5e9, { ...CHROMIUM, picker: false }).note, /another copy/);
  t.notRegex(planKeeping(5e6, { ...CHROMIUM, picker: false }).note, /another copy/);
});

test("planKeeping() holds no more than a gigabyte in memory", (t) => {
  t.is(planKeeping(1e9, OLD).kind, "memory");
  t.is(planKeeping(1e9 + 1, OLD).kind, "refused");
});

test("planKeeping() refuses where browsers would", (t) => {
  t.regex(planKeeping(1, { ...CHROMIUM, secure: false }).note, /https or localhost/);
  t.regex(planKeeping(1, { ...CHROMIUM, capable: false }).note, /no WebRTC/);
});
