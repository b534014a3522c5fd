/**
 * An image pulled by a real engine from a registry that gives 50 MB/s: straight, through docker-registry's own pull-through cache, and through
 * the mirror (first host, second host, again), alternating. Each run has a fresh engine, cache, seeder and daemons, which have served
 * another, small image before; the engine checks every digest.
 */

import { Cluster } from "../test/support/cluster.ts";
import type { EngineName } from "../test/support/container-engines.ts";
import { startDockerRegistry } from "../test/support/docker-registry.ts";
import { mirrorArguments } from "../test/support/mirror-place.ts";
import { type Result, ratioOf } from "./report.ts";
import { secondsToPull, startSlowRegistry, warmUp, whyNoRegistry } from "./slow-registry.ts";

const MIB = 1024 * 1024;
const LAYERS = [80, 60, 40, 15, 5].map((mib) => mib * MIB);
const RATE = 50_000_000;
const MOST_COLD = 1.1;
const MOST_WARM = 1;

/** skopeo reads one layer after the other. */
export function benchMirror(runs: number): Promise<Result> {
  return benchEngine("mirror", { engine: "skopeo", runs });
}

/** docker reads three layers at once, and unpacks them. */
export function benchMirrorDocker(runs: number): Promise<Result> {
  return benchEngine("mirror-docker", { engine: "docker", runs });
}

/** containerd reads three layers at once, and unpacks them. */
export function benchMirrorContainerd(runs: number): Promise<Result> {
  return benchEngine("mirror-containerd", { engine: "containerd", runs });
}

async function benchEngine(bench: string, { engine, runs }: { engine: EngineName; runs: number }): Promise<Result> {
  const title = `${bench}: an image of 200 MiB in 5 layers, registry at 50 MB/s, ${engine}, ${runs} alternating runs`;
  const missing = whyNoRegistry(engine);
  if (missing !== undefined) return { bench, title, rows: [], targets: [], missing: [missing] };
  await using registry = await startSlowRegistry(LAYERS, RATE);
  const seconds: Record<string, number[]> = { straight: [], cache: [], cacheAgain: [], first: [], second: [], again: [] };
  for (let run = 0; run < runs; run++) {
    seconds.straight.push(await secondsToPull(engine, registry.host));
    {
      await using cache = await startDockerRegistry({ proxyOf: `http://${registry.host}` });
      await warmUp(engine, cache.host);
      seconds.cache.push(await secondsToPull(engine, cache.host));
      seconds.cacheAgain.push(await secondsToPull(engine, cache.host));
    }
    await using cluster = await Cluster.start();
    const args = await mirrorArguments(cluster.folder, `http://${registry.host}`);
    const hosts = [await cluster.startDaemon("h0", args), await cluster.startDaemon("h1", args)].map(
      ({ ready }) => new URL(ready.mirror).host,
    );
    for (const host of hosts) await warmUp(engine, host);
    seconds.first.push(await secondsToPull(engine, hosts[0]));
    seconds.second.push(await secondsToPull(engine, hosts[1]));
    seconds.again.push(await secondsToPull(engine, hosts[1]));
  }
  return {
    bench,
    title,
    rows: [
      { name: "straight from the registry", seconds: seconds.straight },
      { name: "pull-through cache, cold", seconds: seconds.cache },
      { name: "pull-through cache, warm", seconds: seconds.cacheAgain },
      { name: "mirror, first host", seconds: seconds.first },
      { name: "mirror, second host", seconds: seconds.second },
      { name: "mirror, stored", seconds: seconds.again },
    ],
    targets: [
      { what: "cold against straight", found: ratioOf(seconds.first, seconds.straight), limit: MOST_COLD, unit: "×", want: "most" },
      { what: "stored against straight", found: ratioOf(seconds.again, seconds.straight), limit: MOST_WARM, unit: "×", want: "most" },
    ],
  };
}
