/**
 * An image pulled by skopeo from a registry that gives 50 MB/s: straight, through docker-registry's own pull-through cache, and through the
 * mirror (first host, second host, again), alternating. Each run has everything fresh; skopeo checks every digest.
 */

import { Cluster } from "../test/support/cluster.ts";
import { startEngine, whyNot } from "../test/support/container-engines.ts";
import { hasDockerRegistry, startDockerRegistry } from "../test/support/docker-registry.ts";
import { mirrorArguments } from "../test/support/mirror-place.ts";
import { makeImage, pushTestImage } from "../test/support/test-image.ts";
import { startLineProcess } from "./line-process.ts";
import { median, type Result } from "./report.ts";

const MIB = 1024 * 1024;
const LAYERS = [80, 60, 40, 15, 5].map((mib) => mib * MIB);
const RATE = 50_000_000;
const REPOSITORY = "library/demo";
const MOST_COLD = 1.1;
const MOST_WARM = 1;

export async function benchMirror(runs: number): Promise<Result> {
  const missing = whyNot("skopeo") ?? (hasDockerRegistry() ? undefined : "docker-registry is not installed");
  const title = `mirror: an image of 200 MiB in 5 layers, registry at 50 MB/s, skopeo, ${runs} alternating runs`;
  if (missing !== undefined) return { bench: "mirror", title, rows: [], targets: [], missing: [missing] };
  await using registry = await startDockerRegistry();
  await pushTestImage(registry.base, REPOSITORY, "v1", makeImage(LAYERS));
  await using door = startLineProcess(process.execPath, ["bench/slow-door.ts", registry.host, String(RATE)]);
  const slow = `127.0.0.1:${(await door.line()).port}`;
  const seconds: Record<string, number[]> = { straight: [], cache: [], cacheAgain: [], first: [], second: [], again: [] };
  for (let run = 0; run < runs; run++) {
    seconds.straight.push(await pullBy(slow));
    {
      await using cache = await startDockerRegistry({ proxyOf: `http://${slow}` });
      seconds.cache.push(await pullBy(cache.host));
      seconds.cacheAgain.push(await pullBy(cache.host));
    }
    await using cluster = await Cluster.start();
    const args = await mirrorArguments(cluster.folder, `http://${slow}`);
    const hosts = [await cluster.startDaemon("h0", args), await cluster.startDaemon("h1", args)].map(
      ({ ready }) => new URL(ready.mirror).host,
    );
    seconds.first.push(await pullBy(hosts[0]));
    seconds.second.push(await pullBy(hosts[1]));
    seconds.again.push(await pullBy(hosts[1]));
  }
  const straight = median(seconds.straight);
  return {
    bench: "mirror",
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
      { what: "cold against straight", found: median(seconds.first) / straight, limit: MOST_COLD, unit: "×", want: "most" },
      { what: "stored against straight", found: median(seconds.again) / straight, limit: MOST_WARM, unit: "×", want: "most" },
    ],
  };
}

async function pullBy(endpoint: string): Promise<number> {
  await using engine = await startEngine("skopeo", { endpoint });
  const { exitCode, output, seconds } = await engine.pull(REPOSITORY, "v1");
  if (exitCode !== 0) throw new Error(output);
  return seconds;
}
