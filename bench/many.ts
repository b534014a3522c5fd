/**
 * Many tasks at once in one daemon: lists of URLs through several `dfget`, every file checked.
 */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Cluster, sha256Of } from "../test/support/cluster.ts";
import { runCommand } from "../test/support/processes.ts";
import { startOriginProcess } from "./origin-process.ts";
import { ProcessMeter } from "./process-meter.ts";
import { median, type Result, type Row, type Target } from "./report.ts";

const RUN_LIMIT_MS = 240_000;
/** As many as one `dfget` takes at once. */
const LIST_LENGTH = 64;
const BATCH = { files: LIST_LENGTH, bytes: 100_000, mostSeconds: 2 };
const FLOOD = { files: 500, bytes: 1_000_000, mostPeakMb: 500 };

/** 64 files of 100 KB in one go, and 500 files of 1 MB at once. */
export async function benchMany(runs: number): Promise<Result> {
  const rows: Row[] = [];
  const targets: Target[] = [];
  {
    await using cluster = await Cluster.start({ daemons: 1 });
    await download(cluster, { ...BATCH, run: -1 });
    const batch = await repeat(runs, (run) => download(cluster, { ...BATCH, run }));
    rows.push({ name: `${BATCH.files} files of ${BATCH.bytes / 1000} KB, one dfget`, ...batch });
    targets.push({ what: "64 files of 100 KB", found: median(batch.seconds), limit: BATCH.mostSeconds, unit: "s", want: "most" });
  }
  const flood = await repeat(runs, async (run) => {
    await using cluster = await Cluster.start({ daemons: 1 });
    return await download(cluster, { ...FLOOD, run });
  });
  rows.push({ name: `${FLOOD.files} files of ${FLOOD.bytes / 1e6} MB at once`, ...flood });
  targets.push({ what: "peak memory of the daemon", found: flood.peakBytes / 1e6, limit: FLOOD.mostPeakMb, unit: "MB", want: "most" });
  return { bench: "many", title: `many: tasks at once in one daemon, ${runs} runs (memory of the daemon)`, rows, targets };
}

interface Download {
  readonly files: number;
  readonly bytes: number;
  readonly run: number;
}

async function download(cluster: Cluster, { files, bytes, run }: Download): Promise<{ seconds: number; peakBytes: number }> {
  await using origin = await startOriginProcess({ length: String(bytes), rate: "0" });
  using meter = new ProcessMeter(cluster.daemonPids[0]);
  const folder = join(cluster.folder, `many-${run}`);
  const lists = Array.from({ length: Math.ceil(files / LIST_LENGTH) }, (_, list) => {
    const count = Math.min(LIST_LENGTH, files - list * LIST_LENGTH);
    return Array.from({ length: count }, (_, file) => `${origin.url}?run=${run}&file=${list * LIST_LENGTH + file}`);
  });
  await mkdir(folder);
  const startedMs = performance.now();
  const results = await Promise.all(
    lists.map(async (urls, list) => {
      const target = join(folder, String(list));
      const path = `${target}.txt`;
      await writeFile(path, urls.join("\n"));
      const place = ["--home", cluster.home("h0"), "--supernode", cluster.url];
      const args = ["-i", path, "-P", target, "--max-concurrent", String(LIST_LENGTH), "--no-progress", ...place];
      return runCommand({ command: "dfget", args, timeoutMs: RUN_LIMIT_MS });
    }),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  const failed = results.find(({ exitCode }) => exitCode !== 0);
  if (failed !== undefined) throw new Error(failed.stderr.slice(-1000));
  const found = await check(folder, lists.length, origin.sha256);
  if (found !== files) throw new Error(`${found} of ${files} files arrived`);
  await rm(folder, { recursive: true });
  return { seconds, peakBytes: meter.usage.peakBytes };
}

async function check(folder: string, lists: number, sha256: string): Promise<number> {
  let count = 0;
  for (let list = 0; list < lists; list++) {
    const target = join(folder, String(list));
    for (const name of await readdir(target)) {
      if ((await sha256Of(join(target, name))) !== sha256) throw new Error(`wrong bytes in ${name}`);
      count++;
    }
  }
  return count;
}

async function repeat(runs: number, once: (run: number) => Promise<{ seconds: number; peakBytes: number }>) {
  const results = [];
  for (let run = 0; run < runs; run++) results.push(await once(run));
  return {
    seconds: results.map(({ seconds }) => seconds),
    peakBytes: Math.max(...results.map(({ peakBytes }) => peakBytes)),
  };
}
