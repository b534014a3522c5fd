/**
 * Small files with a warm daemon: the whole `dfget` process against the whole curl process, each download of a new URL.
 */
import { join } from "node:path";
import { Cluster, sha256Of } from "../test/support/cluster.ts";
import { startOriginProcess } from "./origin-process.ts";
import { median, type Result, type Row, type Target } from "./report.ts";
import { timeProgram } from "./time-program.ts";

const SIZES = [1000, 100_000, 1_000_000];
const MOST_SECONDS = 0.15;

export async function benchSmall(runs: number): Promise<Result> {
  await using cluster = await Cluster.start({ daemons: 1 });
  const rows: Row[] = [];
  const targets: Target[] = [];
  for (const size of SIZES) {
    const { curl, dfget } = await runSize(cluster, size, runs);
    const label = size < 1_000_000 ? `${size / 1000} KB` : `${size / 1_000_000} MB`;
    rows.push({ name: `curl, ${label}`, seconds: curl }, { name: `dfget, ${label}`, seconds: dfget });
    targets.push({ what: `dfget of ${label}`, found: median(dfget), limit: MOST_SECONDS, unit: "s", want: "most" });
  }
  return { bench: "small", title: `small: whole process, warm daemon, ${runs} alternating runs`, rows, targets };
}

async function runSize(cluster: Cluster, size: number, runs: number): Promise<{ curl: number[]; dfget: number[] }> {
  await using origin = await startOriginProcess({ length: String(size), rate: "0" });
  const output = join(cluster.folder, "small");
  const curl: number[] = [];
  const dfget: number[] = [];
  // one run more: the first meets a cold daemon
  for (let run = 0; run <= runs; run++) {
    const url = `${origin.url}?run=${run}`;
    const direct = await timeProgram("curl", ["-sS", "-o", output, url]);
    await check(output, origin.sha256);
    const startedMs = performance.now();
    const outcome = await cluster.dfget("h0", url);
    const seconds = (performance.now() - startedMs) / 1000;
    if (outcome.status !== "ok") throw new Error(JSON.stringify(outcome));
    await check(cluster.output("h0"), origin.sha256);
    if (run === 0) continue;
    curl.push(direct);
    dfget.push(seconds);
  }
  return { curl, dfget };
}

async function check(path: string, sha256: string): Promise<void> {
  if ((await sha256Of(path)) !== sha256) throw new Error(`wrong bytes in ${path}`);
}
