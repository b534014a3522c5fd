/**
 * One seed, one leech, one run: timed, metered, checked. The same for every pair of contenders.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { sha256Of } from "../test/support/cluster.ts";
import type { Contender, Content } from "./contenders/contender.ts";
import { ProcessMeter } from "./process-meter.ts";
import { median, type Row } from "./report.ts";
import { holdWarmMemory } from "./warm-memory.ts";

/** Free memory beyond the content's own that a run needs. */
const HEADROOM_BYTES = 256 * 1024 * 1024;

/** Who gives and who takes. */
export interface Pair {
  readonly name: string;
  readonly seed: Contender;
  readonly leech: Contender;
}

interface Run {
  readonly seconds: number;
  readonly leechCpuSeconds: number;
  readonly leechPeakBytes: number;
  readonly seedCpuSeconds: number;
  readonly seedPeakBytes: number;
}

/** Runs all pairs in turn, `runs` times over, and sums each up; throws where a leech ends with wrong bytes. */
export async function runPairs(content: Content, pairs: readonly Pair[], runs: number): Promise<Row[]> {
  const results = pairs.map((): Run[] => []);
  for (let run = 0; run < runs; run++) {
    for (const [index, pair] of pairs.entries()) {
      if (run === 0 || pair.leech.slow !== true) results[index].push(await runPair(content, pair));
    }
  }
  return pairs.map((pair, index) => sumUp(pair.name, content.lengthBytes, results[index]));
}

async function runPair(content: Content, pair: Pair): Promise<Run> {
  const folder = await mkdtemp(join(content.folder, "leech-"));
  try {
    await using seed = await pair.seed.seed(content);
    const target = join(folder, "got");
    await mkdir(target);
    await using leech = await pair.leech.leech(content, { folder: target, peer: seed.address });
    await using _ = await holdWarmMemory(folder, content.lengthBytes + HEADROOM_BYTES);
    using seedMeter = new ProcessMeter(seed.pid);
    using meters = new DisposableStack();
    let leechMeter: ProcessMeter | undefined;
    const { seconds } = await leech.run((pid) => {
      leechMeter = meters.use(new ProcessMeter(pid));
    });
    const leechUsage = leechMeter?.usage;
    const seedUsage = seedMeter.usage;
    if ((await sha256Of(leech.path)) !== content.sha256) throw new Error(`${pair.name}: wrong bytes arrived`);
    return {
      seconds,
      leechCpuSeconds: leechUsage?.cpuSeconds ?? 0,
      leechPeakBytes: leechUsage?.peakBytes ?? 0,
      seedCpuSeconds: seedUsage.cpuSeconds,
      seedPeakBytes: seedUsage.peakBytes,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function sumUp(name: string, lengthBytes: number, runs: readonly Run[]): Row {
  const perGb = (seconds: number): number => (seconds / lengthBytes) * 1e9;
  const seedPeak = Math.max(...runs.map(({ seedPeakBytes }) => seedPeakBytes));
  return {
    name,
    seconds: runs.map(({ seconds }) => seconds),
    cpuSecondsPerGb: runs.map(({ leechCpuSeconds }) => perGb(leechCpuSeconds)),
    peakBytes: Math.max(...runs.map(({ leechPeakBytes }) => leechPeakBytes)),
    note: `seed: ${median(runs.map(({ seedCpuSeconds }) => perGb(seedCpuSeconds))).toFixed(2)} CPU s/GB, peak ${(seedPeak / 1e6).toFixed(0)} MB`,
  };
}
