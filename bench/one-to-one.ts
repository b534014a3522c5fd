/**
 * 1 GiB from one seed to one leech over loopback, verified and on disk: our engine and the clients that people use, alternating, on
 * the same torrent and data. And ours with libtorrent at the other end.
 */
import { temporaryFolder } from "../test/support/folders.ts";
import { aria2 } from "./contenders/aria2.ts";
import { libtorrent } from "./contenders/libtorrent.ts";
import { skimmer } from "./contenders/skimmer.ts";
import { transmission } from "./contenders/transmission.ts";
import { webtorrent } from "./contenders/webtorrent.ts";
import { makeContent } from "./content.ts";
import { type Pair, runPairs } from "./pair.ts";
import { type Result, type Row, ratioOf, type Target } from "./report.ts";

const LENGTH_BYTES = 1024 * 1024 * 1024;
const PEAK_BYTES = 160e6;

/** Every contender against itself; the anchor is libtorrent, where it is there. */
export async function benchOneToOne(runs: number): Promise<Result> {
  const contenders = [libtorrent, skimmer, aria2, transmission, webtorrent];
  const ready = contenders.filter((contender) => contender.missing() === undefined);
  const rows = await run(
    runs,
    ready.map((contender) => ({ name: contender.name, seed: contender, leech: contender })),
  );
  const ours = find(rows, skimmer.name);
  const targets: Target[] = [
    { what: "peak memory of our leech", found: (ours.peakBytes ?? 0) / 1e6, limit: PEAK_BYTES / 1e6, unit: "MB", want: "most" },
  ];
  for (const [name, limit] of [
    [libtorrent.name, 2],
    [webtorrent.name, 3],
  ] as const) {
    const other = rows.find((row) => row.name === name);
    if (other !== undefined)
      targets.push({ what: `speed against ${name}`, found: ratioOf(other.seconds, ours.seconds), limit, unit: "×", want: "least" });
  }
  const missing = contenders.map((contender) => contender.missing()).filter((hint) => hint !== undefined);
  return {
    bench: "one-to-one",
    title: `one-to-one: 1 GiB over loopback, verified and on disk, ${runs} alternating runs (figures of the leech)`,
    rows,
    targets,
    missing,
  };
}

/** Ours with libtorrent at the other end, either way; the anchor is libtorrent with itself. */
export async function benchInterop(runs: number): Promise<Result> {
  const bench = "interop";
  const title = `interop: 1 GiB between ours and libtorrent, ${runs} alternating runs (figures of the leech)`;
  const hint = libtorrent.missing();
  if (hint !== undefined) return { bench, title, rows: [], targets: [], missing: [hint] };
  const rows = await run(runs, [
    { name: "libtorrent from libtorrent", seed: libtorrent, leech: libtorrent },
    { name: "libtorrent from our seed", seed: skimmer, leech: libtorrent },
    { name: "our leech from libtorrent", seed: libtorrent, leech: skimmer },
  ]);
  const targets = rows.slice(1).map((row): Target => {
    return { what: row.name, found: ratioOf(rows[0].seconds, row.seconds), limit: 1, unit: "×", want: "least" };
  });
  return { bench, title, rows, targets };
}

async function run(runs: number, pairs: readonly Pair[]): Promise<Row[]> {
  await using folder = await temporaryFolder();
  return await runPairs(await makeContent(folder.path, LENGTH_BYTES), pairs, runs);
}

function find(rows: readonly Row[], name: string): Row {
  const row = rows.find((candidate) => candidate.name === name);
  if (row === undefined) throw new Error(`no figures of ${name}`);
  return row;
}
