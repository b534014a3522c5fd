/**
 * Eight hosts pull the same image at the same time, each with an engine, a daemon and a mirror of its own: against one host alone, and
 * against docker-registry's pull-through cache, which all of them ask. The registry's rate is low enough for one machine
 * to be eight hosts: at 50 MB/s it is the processors that decide, not the way of the bytes.
 */

import { Cluster } from "../test/support/cluster.ts";
import { startDockerRegistry } from "../test/support/docker-registry.ts";
import { mirrorArguments } from "../test/support/mirror-place.ts";
import { type Result, ratioOf } from "./report.ts";
import { secondsToPull, startSlowRegistry, warmUp, whyNoRegistry } from "./slow-registry.ts";

const MIB = 1024 * 1024;
const LAYERS = [16, 10, 4, 2].map((mib) => mib * MIB);
const RATE = 4_000_000;
const HOSTS = 8;
const MOST_EIGHT = 1.3;
const ENGINE = "skopeo";

export async function benchMirrorHosts(runs: number): Promise<Result> {
  const bench = "mirror-hosts";
  const title = `mirror: ${HOSTS} hosts at once, an image of 32 MiB in 4 layers, registry at ${RATE / 1e6} MB/s, ${ENGINE}, ${runs} alternating runs`;
  const missing = whyNoRegistry(ENGINE);
  if (missing !== undefined) return { bench, title, rows: [], targets: [], missing: [missing] };
  await using registry = await startSlowRegistry(LAYERS, RATE);
  const seconds: Record<string, number[]> = { one: [], eight: [], cache: [] };
  for (let run = 0; run < runs; run++) {
    seconds.one.push(await pullAtOnce(registry.host, 1));
    seconds.eight.push(await pullAtOnce(registry.host, HOSTS));
    await using cache = await startDockerRegistry({ proxyOf: `http://${registry.host}` });
    await warmUp(ENGINE, cache.host);
    seconds.cache.push(await lastOf(Array<string>(HOSTS).fill(cache.host)));
  }
  const ratio = ratioOf(seconds.eight, seconds.one);
  return {
    bench,
    title,
    rows: [
      { name: "mirror, one host", seconds: seconds.one },
      { name: `mirror, ${HOSTS} hosts, the last of them`, seconds: seconds.eight },
      { name: `pull-through cache, ${HOSTS} hosts, the last`, seconds: seconds.cache },
    ],
    targets: [{ what: `${HOSTS} hosts against one`, found: ratio, limit: MOST_EIGHT, unit: "×", want: "most" }],
  };
}

/** Through mirrors of so many hosts, all of them fresh. */
async function pullAtOnce(registry: string, hosts: number): Promise<number> {
  await using cluster = await Cluster.start();
  const args = await mirrorArguments(cluster.folder, `http://${registry}`);
  const endpoints: string[] = [];
  for (let host = 0; host < hosts; host++) endpoints.push(new URL((await cluster.startDaemon(`h${host}`, args)).ready.mirror).host);
  for (const endpoint of endpoints) await warmUp(ENGINE, endpoint);
  // the cluster ends with this function
  return await lastOf(endpoints);
}

async function lastOf(endpoints: readonly string[]): Promise<number> {
  return Math.max(...(await Promise.all(endpoints.map((endpoint) => secondsToPull(ENGINE, endpoint)))));
}
