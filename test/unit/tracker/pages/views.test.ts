/** The pages' pieces that only decide: changes of views, order of rows, queries, piece maps, escaping. */
import test from "ava";
import fc from "fast-check";
import { applyDelta } from "../../../../tracker/pages/browser/apply-delta.ts";
import { chartPaths } from "../../../../tracker/pages/browser/chart-paths.ts";
import { formatBytes, formatRate, formatShare } from "../../../../tracker/pages/browser/format.ts";
import { clientName } from "../../../../tracker/pages/client-name.ts";
import { diffViews } from "../../../../tracker/pages/diff-views.ts";
import { html } from "../../../../tracker/pages/html.ts";
import { queryKey, readPageQuery } from "../../../../tracker/pages/page-query.ts";
import { pieceMap } from "../../../../tracker/pages/piece-map.ts";
import { Throughput } from "../../../../tracker/pages/throughput.ts";
import { topRows } from "../../../../tracker/pages/top-rows.ts";

const rowsOf = fc.uniqueArray(fc.record({ key: fc.constantFrom(..."abcdefgh"), n: fc.nat(3) }), { selector: ({ key }) => key });
const viewOf = fc.record({ fields: fc.record({ a: fc.nat(3), b: fc.array(fc.nat(2), { maxLength: 2 }) }), rows: rowsOf });

test("applyDelta() with what diffViews() says makes the new view of the old one, for any two views", (t) => {
  fc.assert(
    fc.property(viewOf, viewOf, (before, now) => {
      const delta = diffViews(before, now);
      t.deepEqual(delta === undefined ? before : { ...applyDelta(before, delta) }, now);
    }),
  );
});

test("diffViews() tells nothing of what stayed", (t) => {
  const before = {
    fields: { a: 1, b: 2 },
    rows: [
      { key: "x", n: 1 },
      { key: "y", n: 2 },
    ],
  };
  t.is(diffViews(before, structuredClone(before)), undefined);
  const now = {
    fields: { a: 1, b: 3 },
    rows: [
      { key: "x", n: 1 },
      { key: "y", n: 5 },
    ],
  };
  t.deepEqual(diffViews(before, now), { fields: { b: 3 }, rows: [{ key: "y", n: 5 }] });
});

test("topRows() is a part of the sorted list, for any list and page", (t) => {
  const compare = (one: number, other: number): number => one - other;
  fc.assert(
    fc.property(fc.array(fc.nat(50), { maxLength: 300 }), fc.nat(20), fc.integer({ min: 1, max: 9 }), (items, offset, limit) => {
      const { rows, total } = topRows(items, { compare, offset, limit });
      t.is(total, items.length);
      t.deepEqual(rows, items.toSorted(compare).slice(offset, offset + limit));
    }),
  );
});

test("readPageQuery() takes what is sensible, and the default of the rest", (t) => {
  const sorts = ["-active", "name", "-length"];
  t.deepEqual(readPageQuery({}, sorts), { search: "", sort: "active", descending: true, offset: 0, limit: 50 });
  const asked = readPageQuery({ search: " Ubuntu ", sort: "name", order: "desc", offset: "100", limit: "1000" }, sorts);
  t.deepEqual(asked, { search: "ubuntu", sort: "name", descending: true, offset: 100, limit: 200 });
  t.false(readPageQuery({ sort: "name" }, sorts).descending);
  t.true(readPageQuery({ sort: "length" }, sorts).descending);
  const nonsense = readPageQuery({ search: ["a"], sort: "__proto__", order: "x", offset: "-1", limit: "0" }, sorts);
  t.deepEqual(nonsense, { search: "", sort: "active", descending: true, offset: 0, limit: 1 });
  t.is(readPageQuery({ search: "x".repeat(5000) }, sorts).search.length, 200);
  t.is(queryKey(readPageQuery({ search: "A" }, sorts)), queryKey(readPageQuery({ search: " a" }, sorts)));
});

test("pieceMap() tells of the rarest piece of each stretch", (t) => {
  // pieces 0 and 3 of 4
  const map = Buffer.from([0b1001_0000]).toString("base64");
  t.is(pieceMap({ pieceCount: 4, whole: 0, maps: [map] }), "1001");
  t.is(pieceMap({ pieceCount: 4, whole: 2, maps: [map, map] }), "4224");
  t.is(pieceMap({ pieceCount: 3, whole: 40, maps: [] }), "zzz");
  t.is(pieceMap({ pieceCount: 0, whole: 1, maps: [] }), "");
  const long = pieceMap({ pieceCount: 2500, whole: 1, maps: [] });
  t.is(long.length, 1000);
  // bits past the last piece, and too few bytes, change nothing
  t.is(pieceMap({ pieceCount: 2, whole: 0, maps: ["////", ""] }), "11");
});

test("html escapes every value that is not html itself", (t) => {
  const evil = `<script>"'&`;
  t.is(html`<p title="${evil}">${evil}</p>`.toString(), '<p title="&#60;script&#62;&#34;&#39;&#38;">&#60;script&#62;&#34;&#39;&#38;</p>');
  t.is(html`${html`<b>${"<"}</b>`}${[html`<i>1</i>`, html`<i>2</i>`]}${undefined}${3}`.toString(), "<b>&#60;</b><i>1</i><i>2</i>3");
});

test("clientName() reads Azureus ids and aria2's", (t) => {
  t.is(clientName(Buffer.from("-SK0100-abcdefghijkl")), "Skimmer 0.1");
  t.is(clientName(Buffer.from("-TR3000-abcdefghijkl")), "Transmission 3.0");
  t.is(clientName(Buffer.from("-LT20A0-abcdefghijkl")), "libtorrent 2.0.10");
  t.is(clientName(Buffer.from("A2-1-36-0-abcdefghij")), "aria2 1.36.0");
  t.is(clientName(Buffer.from("<b>aaaaaaaaaaaaaaaaa")), "unknown");
});

test("Throughput keeps five minutes of samples", (t) => {
  const throughput = new Throughput();
  for (let atMs = 0; atMs < 1000; atMs++) throughput.add({ atMs, origin: 0, seeder: 0, peers: 0, fetched: 0 });
  t.is(throughput.samples.length, 150);
  t.is(throughput.samples[0].atMs, 850);
  t.is(throughput.latest?.atMs, 999);
});

test("chartPaths() stacks the sources below a round top", (t) => {
  const samples = [
    { atMs: 0, origin: 0, seeder: 1000, peers: 1000, fetched: 0 },
    { atMs: 100, origin: 1000, seeder: 1000, peers: 2000, fetched: 0 },
  ];
  const { areas, top } = chartPaths(samples, { width: 100, height: 100, spanMs: 100 });
  t.is(top, 5000);
  t.deepEqual(areas, [
    "M0.0,80.0L100.0,60.0L100.0,100.0L0.0,100.0Z",
    "M0.0,60.0L100.0,40.0L100.0,60.0L0.0,80.0Z",
    "M0.0,60.0L100.0,20.0L100.0,40.0L0.0,60.0Z",
  ]);
  t.deepEqual(chartPaths([], { width: 1, height: 1, spanMs: 1 }), { areas: ["", "", ""], top: 1000 });
});

test("figures are written as people read them", (t) => {
  t.deepEqual([0, 999, 1000, 999_949, 999_950, 123_456_789].map(formatBytes), ["0 B", "999 B", "1.00 kB", "1.00 MB", "1.00 MB", "123 MB"]);
  t.deepEqual([0, 1500].map(formatRate), ["–", "1.50 kB/s"]);
  t.deepEqual([0, 0.5, 0.9999, 1].map(formatShare), ["0 %", "50 %", "99.9 %", "100 %"]);
});
