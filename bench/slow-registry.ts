/**
 * What benchmarks of the mirror share: docker's registry with one image behind a door of some rate, and an engine that pulls it. Drives
 * processes; the engine checks every digest.
 */
import { type EngineName, startEngine, whyNot } from "../test/support/container-engines.ts";
import { hasDockerRegistry, startDockerRegistry } from "../test/support/docker-registry.ts";
import { temporaryFolder } from "../test/support/folders.ts";
import { makeImage, pushTestImage } from "../test/support/test-image.ts";
import { startLineProcess } from "./line-process.ts";
import { timeProgram } from "./time-program.ts";
import { warmMemory } from "./warm-memory.ts";

const REPOSITORY = "library/demo";
/** Another image, small. */
const SMALL = "library/small";
const SMALL_LAYERS = [1024 * 1024];
/** What a pull of 200 MiB fills: twice in the engine, and in the seeder's and the daemon's store. */
const FILLED_BYTES = 900 * 1024 * 1024;

export interface SlowRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` of the door. */
  readonly host: string;
}

/** What is missing here for such a benchmark; undefined: nothing. */
export function whyNoRegistry(engine: EngineName): string | undefined {
  return whyNot(engine) ?? (hasDockerRegistry() ? undefined : "docker-registry is not installed");
}

export async function startSlowRegistry(layers: readonly number[], bytesPerSecond: number): Promise<SlowRegistry> {
  await using stack = new AsyncDisposableStack();
  const registry = stack.use(await startDockerRegistry());
  await pushTestImage(registry.base, REPOSITORY, "v1", makeImage(layers));
  await pushTestImage(registry.base, SMALL, "v1", makeImage(SMALL_LAYERS));
  const door = stack.use(startLineProcess(process.execPath, ["bench/slow-door.ts", registry.host, String(bytesPerSecond)]));
  const host = `127.0.0.1:${(await door.line()).port}`;
  const held = stack.move();
  return { host, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** Seconds that a new engine with an empty store takes for the image; begun with warm memory, and with nothing of an earlier pull still on its way to the disk. */
export async function secondsToPull(name: EngineName, endpoint: string): Promise<number> {
  await using folder = await temporaryFolder();
  await warmMemory(folder.path, FILLED_BYTES);
  await timeProgram("sync", []);
  return pull({ name, endpoint, repository: REPOSITORY });
}

/** Has a server that was just started serve something else first: registries and daemons run for months, their caches are what is cold. */
export async function warmUp(name: EngineName, endpoint: string): Promise<void> {
  await pull({ name, endpoint, repository: SMALL });
}

async function pull({ name, endpoint, repository }: { name: EngineName; endpoint: string; repository: string }): Promise<number> {
  await using engine = await startEngine(name, { endpoint });
  const { exitCode, output, seconds } = await engine.pull(repository, "v1");
  if (exitCode !== 0) throw new Error(output);
  return seconds;
}
