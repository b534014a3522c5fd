/**
 * What supernode, seeder and daemon burn while nothing is to be done, after a task, with their connections open.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "../test/support/cluster.ts";
import { startOriginProcess } from "./origin-process.ts";
import { ProcessMeter } from "./process-meter.ts";
import type { Result, Row, Target } from "./report.ts";

const SETTLE_MS = 3000;
const WATCH_SECONDS = 10;
const MOST_PERCENT = 1;

/** One long look counts more than several short ones: `runs` is not used. */
export async function benchIdle(): Promise<Result> {
  await using origin = await startOriginProcess({ length: "20MB", rate: "0" });
  await using cluster = await Cluster.start({ daemons: 2 });
  for (const home of ["h0", "h1"]) {
    const outcome = await cluster.dfget(home, origin.url);
    if (outcome.status !== "ok") throw new Error(JSON.stringify(outcome));
  }
  await sleep(SETTLE_MS);
  const pids: [name: string, pid: number][] = [
    ["supernode", cluster.supernode.pid],
    ["seeder", await cluster.seederPid()],
    ["daemon", cluster.daemonPids[0]],
  ];
  using meters = new DisposableStack();
  const watched = pids.map(([name, pid]) => ({ name, meter: meters.use(new ProcessMeter(pid)) }));
  await sleep(WATCH_SECONDS * 1000);
  const rows: Row[] = watched.map(({ name, meter }) => ({ name, seconds: [meter.usage.cpuSeconds], peakBytes: meter.usage.peakBytes }));
  const targets: Target[] = rows.map(({ name, seconds }) => {
    return { what: `${name}, share of a core`, found: (seconds[0] / WATCH_SECONDS) * 100, limit: MOST_PERCENT, unit: "%", want: "most" };
  });
  return { bench: "idle", title: `idle: CPU seconds in ${WATCH_SECONDS} s`, rows, targets };
}
