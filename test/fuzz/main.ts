/**
 * `npm run fuzz -- TARGET|all [RUNS] [SEED]`: broken inputs for one parser or all. Prints the seed; a failing input is saved, and the
 * exit code is 1. `npm run fuzz -- TARGET FILE SEED` runs a saved one again.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "./random.ts";
import { runTarget } from "./run-target.ts";
import type { FuzzTarget } from "./target.ts";
import { TARGETS } from "./targets.ts";

const RUNS = 100_000;
const MOST_MS = 1000;

const [name = "all", what = String(RUNS), seedText] = process.argv.slice(2);
const chosen = TARGETS.filter((target) => name === "all" || target.name === name);
if (chosen.length === 0) {
  process.stderr.write(`there is no target "${name}"; there are ${TARGETS.map((target) => target.name).join(", ")} and all\n`);
  process.exit(2);
}
const seed = seedText === undefined ? Date.now() % 2 ** 31 : Number(seedText);
for (const target of chosen) {
  if (existsSync(what)) target.run(await readFile(what), seededRandom(seed));
  else await fuzz(target, Number(what));
}

async function fuzz(target: FuzzTarget, runs: number): Promise<void> {
  process.stdout.write(`${target.name}: ${runs} inputs, seed ${seed}\n`);
  const onProgress = (done: number): void => void process.stdout.write(`${target.name}: ${done}\n`);
  const result = runTarget(target, { runs, seed, mostMs: MOST_MS, onProgress });
  const { fault } = result;
  if (fault === undefined) {
    const slowest = result.slowestMs.toFixed(1);
    process.stdout.write(`${target.name}: good; ${result.refused} of ${result.runs} refused, the slowest took ${slowest} ms\n`);
    return;
  }
  const folder = join(tmpdir(), "skimmer-fuzz");
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${target.name}-${seed}-${fault.run}.bin`);
  await writeFile(path, fault.input);
  const again = `npm run fuzz -- ${target.name} ${path} ${seed + fault.run}`;
  process.stdout.write(`${target.name}: FAILED with input ${fault.run}: ${fault.why}\nsaved; again with: ${again}\n`);
  process.exitCode = 1;
}
