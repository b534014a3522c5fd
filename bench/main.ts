/**
 * `npm run bench [-- NAME …] [--runs N]`: side-by-side measurements. Each verifies what arrived, prints its table, and leaves the figures as
 * bench/results/NAME.json. Ends with 1 where a promise is not kept.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { formatResult, isMet, type Result } from "./report.ts";

type Bench = (runs: number) => Promise<Result>;

/** Loaded one by one: what one benchmark needs must not take memory of another. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  "one-to-one": async () => (await import("./one-to-one.ts")).benchOneToOne,
  interop: async () => (await import("./one-to-one.ts")).benchInterop,
  cold: async () => (await import("./cold.ts")).benchCold,
  "cold-unlimited": async () => (await import("./cold.ts")).benchColdUnlimited,
  small: async () => (await import("./small.ts")).benchSmall,
  many: async () => (await import("./many.ts")).benchMany,
  limiter: async () => (await import("./limiter.ts")).benchLimiter,
  idle: async () => (await import("./idle.ts")).benchIdle,
  connections: async () => (await import("./connections.ts")).benchConnections,
  shaped: async () => (await import("./shaped.ts")).benchShaped,
  tracker: async () => (await import("./tracker.ts")).benchTracker,
  mirror: async () => (await import("./mirror.ts")).benchMirror,
  "mirror-docker": async () => (await import("./mirror.ts")).benchMirrorDocker,
  "mirror-containerd": async () => (await import("./mirror.ts")).benchMirrorContainerd,
  "mirror-hosts": async () => (await import("./mirror-hosts.ts")).benchMirrorHosts,
  "fan-out": async () => (await import("./fan-out.ts")).benchFanOut,
};

const LEAST_RUNS = 1;
const DEFAULT_RUNS = 5;
const args = process.argv.slice(2);
const at = args.indexOf("--runs");
const runs = at < 0 ? DEFAULT_RUNS : Math.max(LEAST_RUNS, Number(args.splice(at, 2)[1]));
const unknown = args.find((name) => BENCHES[name] === undefined);
if (unknown !== undefined || !Number.isInteger(runs)) {
  process.stderr.write(`there is no benchmark "${unknown ?? "with so many runs"}"; there are: ${Object.keys(BENCHES).join(", ")}\n`);
  process.exit(2);
}
for (const name of args.length === 0 ? Object.keys(BENCHES) : args) {
  const bench = await BENCHES[name]();
  const result = await bench(runs);
  process.stdout.write(formatResult(result));
  await save(result);
  if (!result.targets.every(isMet)) process.exitCode = 1;
}

async function save(result: Result): Promise<void> {
  const folder = fileURLToPath(new URL("./results/", import.meta.url));
  await mkdir(folder, { recursive: true });
  const machine = {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
  };
  const targets = result.targets.map((target) => ({ ...target, met: isMet(target) }));
  const report = { date: new Date().toISOString(), machine, runs, ...result, targets };
  await writeFile(`${folder}${result.bench}.json`, `${JSON.stringify(report, undefined, 2)}\n`);
}
