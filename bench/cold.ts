/**
 * One cold download through the swarm against curl straight from the same limited origin, alternating, and how long after
 * the first a daemon is done that joins half way in. Each run uses a fresh origin, supernode and daemons.
 */

import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cluster, sha256Of } from "../test/support/cluster.ts";
import { printTable, timeProgram } from "./measure.ts";
import { startOriginProcess } from "./origin-process.ts";

const LENGTH_BYTES = 200_000_000;

/** `rate` in bytes per second; 0 is unlimited. */
export async function benchCold(options: { runs: number; rate: number }): Promise<void> {
  const curl: number[] = [];
  const swarm: number[] = [];
  const behind: number[] = [];
  for (let run = 0; run < options.runs; run++) {
    curl.push(await runCurl(options.rate));
    const { seconds, lateBySeconds } = await runSwarm(options.rate);
    swarm.push(seconds);
    behind.push(lateBySeconds);
  }
  const rate = options.rate === 0 ? "unlimited" : `${options.rate / 1e6} MB/s`;
  printTable(`cold: ${LENGTH_BYTES / 1e6} MB, origin ${rate}, ${options.runs} alternating runs`, [
    { name: "curl from the origin", seconds: curl },
    {
      name: "dfget through the swarm",
      seconds: swarm,
      note: `second daemon, joining half way, done ${behind.map((late) => late.toFixed(2)).join(", ")} s after the first`,
    },
  ]);
}

async function runCurl(rate: number): Promise<number> {
  const origin = await startOriginProcess({ length: String(LENGTH_BYTES), rate: String(rate) });
  const output = join(tmpdir(), `skimmer-bench-${process.pid}`);
  const seconds = await timeProgram("curl", ["-sS", "-o", output, origin.url]);
  if ((await sha256Of(output)) !== origin.sha256) throw new Error("curl got wrong bytes");
  await rm(output);
  await origin.stop();
  return seconds;
}

async function runSwarm(rate: number): Promise<{ seconds: number; lateBySeconds: number }> {
  const origin = await startOriginProcess({ length: String(LENGTH_BYTES), rate: String(rate) });
  const cluster = await Cluster.start({ daemons: 2 });
  const startedMs = performance.now();
  const take = async (home: string): Promise<number> => {
    const outcome = await cluster.dfget(home, origin.url);
    const doneMs = performance.now();
    if (outcome.status !== "ok" || (await sha256Of(cluster.output(home))) !== origin.sha256) throw new Error(JSON.stringify(outcome));
    return doneMs;
  };
  const first = take("h0");
  const halfMs = rate === 0 ? 0 : (LENGTH_BYTES / rate / 2) * 1000;
  await new Promise((resolve) => setTimeout(resolve, halfMs));
  const second = take("h1");
  const [firstMs, secondMs] = await Promise.all([first, second]);
  await cluster[Symbol.asyncDispose]();
  await origin.stop();
  return { seconds: (firstMs - startedMs) / 1000, lateBySeconds: (secondMs - firstMs) / 1000 };
}
