/**
 * One cold download through the swarm against curl and aria2 straight from the same origin, alternating. Each run uses a fresh origin,
 * supernode, seeder and daemon.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Cluster, sha256Of } from "../test/support/cluster.ts";
import { temporaryFolder } from "../test/support/folders.ts";
import { hasAria2 } from "../test/support/tools.ts";
import { runBareRelay } from "./bare.ts";
import { startOriginProcess } from "./origin-process.ts";
import { type Result, type Row, ratioOf } from "./report.ts";
import { timeProgram } from "./time-program.ts";
import { warmMemory } from "./warm-memory.ts";

const LENGTH_BYTES = 200_000_000;
const LIMITED = 50_000_000;
const MOST_LIMITED = 1.05;
const MOST_UNLIMITED = 1.5;

/** The origin gives 50 MB/s. */
export function benchCold(runs: number): Promise<Result> {
  return bench({ name: "cold", runs, rate: LIMITED, most: MOST_LIMITED });
}

/** The origin gives what it can. */
export function benchColdUnlimited(runs: number): Promise<Result> {
  return bench({ name: "cold-unlimited", runs, rate: 0, most: MOST_UNLIMITED });
}

async function bench(options: { name: string; runs: number; rate: number; most: number }): Promise<Result> {
  const { runs, rate, most } = options;
  await using folder = await temporaryFolder();
  const output = join(folder.path, "direct");
  const curl: number[] = [];
  const aria2: number[] = [];
  const bare: number[] = [];
  const swarm: number[] = [];
  for (let run = 0; run < runs; run++) {
    curl.push(await runDirect(rate, output, (url) => ["curl", "-sS", "-o", output, url]));
    if (hasAria2()) {
      const aria2Args = [
        "--quiet",
        "--file-allocation=none",
        "--allow-overwrite=true",
        "-x8",
        "-s8",
        "--dir",
        folder.path,
        "--out",
        "direct",
      ];
      aria2.push(await runDirect(rate, output, (url) => ["aria2c", ...aria2Args, url]));
    }
    if (rate === 0) bare.push(await runBareRelay(folder.path, LENGTH_BYTES));
    swarm.push(await runSwarm(rate));
  }
  const rows: Row[] = [
    { name: "curl from the origin", seconds: curl },
    { name: "dfget through the swarm", seconds: swarm },
  ];
  if (bare.length > 0) rows.push({ name: "two bare processes in a row: receive, hash, store, pass on", seconds: bare });
  if (aria2.length > 0) rows.push({ name: "aria2 -x8 from the origin", seconds: aria2 });
  return {
    bench: options.name,
    title: `cold: ${LENGTH_BYTES / 1e6} MB, origin ${rate === 0 ? "unlimited" : `${rate / 1e6} MB/s`}, ${runs} alternating runs`,
    rows,
    missing: hasAria2() ? [] : ["aria2 (apt-get install aria2)"],
    targets: [{ what: "time against curl", found: ratioOf(swarm, curl), limit: most, unit: "×", want: "most" }],
  };
}

async function runDirect(rate: number, output: string, command: (url: string) => readonly string[]): Promise<number> {
  await using origin = await startOriginProcess({ length: String(LENGTH_BYTES), rate: String(rate) });
  await warmMemory(join(output, ".."), LENGTH_BYTES);
  const [program, ...args] = command(origin.url);
  const seconds = await timeProgram(program, args);
  if ((await sha256Of(output)) !== origin.sha256) throw new Error(`${program} got wrong bytes`);
  await rm(output);
  return seconds;
}

async function runSwarm(rate: number): Promise<number> {
  await using origin = await startOriginProcess({ length: String(LENGTH_BYTES), rate: String(rate) });
  await using cluster = await Cluster.start({ daemons: 1 });
  await warmMemory(cluster.folder, 2 * LENGTH_BYTES);
  const startedMs = performance.now();
  const outcome = await cluster.dfget("h0", origin.url);
  const seconds = (performance.now() - startedMs) / 1000;
  if (outcome.status !== "ok" || (await sha256Of(cluster.output("h0"))) !== origin.sha256) throw new Error(JSON.stringify(outcome));
  return seconds;
}
