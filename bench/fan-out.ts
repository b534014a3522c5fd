/**
 * One file from one origin to 16 fresh daemons at once, all on this machine; beside it as many aria2 straight from the same origin.
 */
import { link, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { Cluster, sha256Of } from "../test/support/cluster.ts";
import { temporaryFolder } from "../test/support/folders.ts";
import { hasNginx, type Nginx, startNginx } from "../test/support/nginx.ts";
import { hasAria2 } from "../test/support/tools.ts";
import { runBareFanOut } from "./bare.ts";
import { makeContent } from "./content.ts";
import { ProcessMeter } from "./process-meter.ts";
import { median, type Result, type Row } from "./report.ts";
import { timeProgram } from "./time-program.ts";
import { holdWarmMemory } from "./warm-memory.ts";

const LENGTH_BYTES = 200 * 1024 * 1024;
const HOSTS = 16;
const MOST_SECONDS = 5;
/** One, and the byte that is asked for to learn the length. */
const MOST_ORIGIN_COPIES = 1.001;
const MOST_SEEDER_COPIES = 1.5;

interface SwarmRun {
  readonly seconds: number;
  readonly originCopies: number;
  readonly seederCopies: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

export async function benchFanOut(runs: number): Promise<Result> {
  const bench = "fan-out";
  const title = `fan-out: ${LENGTH_BYTES / 1024 / 1024} MiB to ${HOSTS} hosts at once, origin nginx, ${runs} alternating runs`;
  if (!hasNginx()) return { bench, title, rows: [], targets: [], missing: ["nginx (apt-get install nginx-light)"] };
  await using folder = await temporaryFolder();
  const { name, sha256 } = await makeContent(folder.path, LENGTH_BYTES);
  const setting: Setting = { folder: folder.path, name, sha256 };
  const direct: number[] = [];
  const bare: number[] = [];
  const swarm: SwarmRun[] = [];
  for (let run = 0; run < runs; run++) {
    if (hasAria2()) direct.push(await runAria2(setting));
    bare.push(await runBareFanOut(folder.path, LENGTH_BYTES, HOSTS));
    swarm.push(await runSwarm(setting));
  }
  const copies = LENGTH_BYTES * HOSTS;
  const row: Row = {
    name: `Skimmer: ${HOSTS} daemons, one swarm`,
    seconds: swarm.map(({ seconds }) => seconds),
    cpuSecondsPerGb: swarm.map(({ cpuSeconds }) => (cpuSeconds / copies) * 1e9),
    peakBytes: Math.max(...swarm.map(({ peakBytes }) => peakBytes)),
    note: "CPU of all daemons, seeder and supernode; memory of the largest daemon",
  };
  const rows: Row[] = [row, { name: `${HOSTS} bare processes, running already: receive, hash, store`, seconds: bare }];
  if (direct.length > 0) rows.unshift({ name: `aria2 -x4, ${HOSTS} times from the origin`, seconds: direct });
  return {
    bench,
    title,
    rows,
    missing: hasAria2() ? [] : ["aria2 (apt-get install aria2)"],
    targets: [
      { what: "last host done", found: median(row.seconds), limit: MOST_SECONDS, unit: "s", want: "most" },
      {
        what: "copies from the origin",
        found: Math.max(...swarm.map((one) => one.originCopies)),
        limit: MOST_ORIGIN_COPIES,
        unit: "copies",
        want: "most",
      },
      {
        what: "copies from the seeder",
        found: Math.max(...swarm.map((one) => one.seederCopies)),
        limit: MOST_SEEDER_COPIES,
        unit: "copies",
        want: "most",
      },
    ],
  };
}

interface Setting {
  readonly folder: string;
  readonly name: string;
  readonly sha256: string;
}

async function runAria2({ folder, name, sha256 }: Setting): Promise<number> {
  await using nginx = await serve(join(folder, name));
  await using _ = await holdWarmMemory(folder, LENGTH_BYTES * HOSTS);
  const outputs = Array.from({ length: HOSTS }, (_, index) => join(folder, `aria2-${index}`));
  const startedMs = performance.now();
  const quiet = ["--quiet", "--file-allocation=none", "--allow-overwrite=true", "-x4", "-s4"];
  await Promise.all(outputs.map((output) => timeProgram("aria2c", [...quiet, "--dir", output, "--out", name, `${nginx.url}/${name}`])));
  const seconds = (performance.now() - startedMs) / 1000;
  for (const output of outputs) {
    await check(join(output, name), sha256);
    await rm(output, { recursive: true });
  }
  return seconds;
}

async function runSwarm({ folder, name, sha256 }: Setting): Promise<SwarmRun> {
  await using nginx = await serve(join(folder, name));
  await using cluster = await Cluster.start({ daemons: HOSTS });
  await using _ = await holdWarmMemory(folder, LENGTH_BYTES * (HOSTS + 1));
  using meters = new DisposableStack();
  const daemons = cluster.daemonPids.map((pid) => meters.use(new ProcessMeter(pid)));
  const others = [cluster.supernode.pid, await cluster.seederPid()].map((pid) => meters.use(new ProcessMeter(pid)));
  const sentBefore = await nginx.bodyBytes();
  const startedMs = performance.now();
  const homes = Array.from({ length: HOSTS }, (_, index) => `h${index}`);
  const outcomes = await Promise.all(homes.map((home) => cluster.dfget(home, `${nginx.url}/${name}`)));
  const seconds = (performance.now() - startedMs) / 1000;
  const cpuSeconds = [...daemons, ...others].reduce((sum, meter) => sum + meter.usage.cpuSeconds, 0);
  const peakBytes = Math.max(...daemons.map((meter) => meter.usage.peakBytes));
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status !== "ok") throw new Error(JSON.stringify(outcome));
    await check(cluster.output(homes[index]), sha256);
  }
  const seederBytes = outcomes.reduce((sum, { from }) => sum + from.seeder, 0);
  return {
    seconds,
    cpuSeconds,
    peakBytes,
    originCopies: ((await nginx.bodyBytes()) - sentBefore) / LENGTH_BYTES,
    seederCopies: seederBytes / LENGTH_BYTES,
  };
}

/** A fresh origin with a link to the file. */
async function serve(path: string): Promise<Nginx> {
  const nginx = await startNginx();
  if (nginx === undefined) throw new Error("nginx is gone");
  await link(path, join(nginx.root, basename(path)));
  return nginx;
}

async function check(path: string, sha256: string): Promise<void> {
  if ((await sha256Of(path)) !== sha256) throw new Error(`wrong bytes in ${path}`);
}
