/**
 * Real engines pull a real image through the mirror: a first host cold, a second one from the first. What the registry sent is read
 * from its access log; times against straight pulls are printed, not judged.
 */
import { join } from "node:path";
import test from "ava";
import { Cluster } from "../support/cluster.ts";
import { type ContainerEngine, type EngineName, type PullResult, startEngine, whyNot } from "../support/container-engines.ts";
import { hasDockerRegistry, REGISTRY_LOGIN, startDockerRegistry } from "../support/docker-registry.ts";
import { type AccessRow, accessRows, bytesSent, mirrorArguments } from "../support/mirror-place.ts";
import { runCommand } from "../support/processes.ts";
import { makeImage, pushTestImage, type TestImage } from "../support/test-image.ts";

const MIB = 1024 * 1024;
/** More than 300 MB where there is time for it. */
const LENGTHS =
  process.env.MIRROR_LARGE === "1" ? [100, 80, 60, 50, 20].map((mib) => mib * MIB) : [12, 8, 5, 1, 0.1].map((mib) => mib * MIB);
const REPOSITORY = "library/demo";
const ENGINES = ["skopeo", "podman", "buildah", "docker", "containerd"] as const;
/** Those that tell digests of what is in a layer, not of how it is packed. */
const UNPACKED: ReadonlySet<EngineName> = new Set(["podman", "buildah", "docker"]);

for (const name of ENGINES) {
  const reason = whyNot(name) ?? (hasDockerRegistry() ? undefined : "docker-registry is not installed");
  const engineTest = reason === undefined ? test : test.skip;
  engineTest(
    `${name} pulls through the mirror; a second host takes the layers from the first's swarm${reason === undefined ? "" : ` (${reason})`}`,
    async (t) => {
      await using registry = await startDockerRegistry();
      const image = makeImage(LENGTHS);
      await pushTestImage(registry.base, REPOSITORY, "v1", image);
      await using straightEngine = await startEngine(name, { endpoint: registry.host });
      const straight = await straightEngine.pull(REPOSITORY, "v1");
      t.is(straight.exitCode, 0, straight.output);
      const before = registry.log().length;

      await using cluster = await Cluster.start();
      const args = await mirrorArguments(cluster.folder, registry.base);
      const first = await cluster.startDaemon("first", args);
      await using cold = await startEngine(name, { endpoint: new URL(first.ready.mirror).host });
      const coldPull = await cold.pull(REPOSITORY, "v1");
      t.is(coldPull.exitCode, 0, coldPull.output);
      t.deepEqual(await layersOf(cold, image), expectedLayers(name, image));

      const second = await cluster.startDaemon("second", args);
      await using warm = await startEngine(name, { endpoint: new URL(second.ready.mirror).host });
      const warmPull = await warm.pull(REPOSITORY, "v1");
      t.is(warmPull.exitCode, 0, warmPull.output);
      t.deepEqual(await layersOf(warm, image), expectedLayers(name, image));
      const again = await warm.pull(REPOSITORY, "v1");
      t.is(again.exitCode, 0, again.output);

      const total = [image.config, ...image.layers].reduce((sum, { length }) => sum + length, 0);
      const sent = bytesSent(registry.log().slice(before), image.blobs);
      t.true(sent < total * 1.05, `the registry sent ${sent} of ${total}`);
      const shares = sharesOf(accessRows(second.stderr()));
      t.true(shares.peers >= 0.9 * (total - 1.5 * MIB), JSON.stringify(shares));
      t.log(
        `${name}: straight ${times(straight)}, cold ${times(coldPull, straight)}, second host ${times(warmPull, straight)}, again ${times(again, straight)}`,
      );
      t.log(`registry sent ${(sent / total).toFixed(3)} copies; second host: ${JSON.stringify(shares)}`);
    },
  );
}

/** What the engine stored, without what is no layer. */
async function layersOf(engine: ContainerEngine, image: TestImage): Promise<string[]> {
  const found = await engine.layers(REPOSITORY, "v1");
  const known = new Set(expectedLayers(engine.name, image));
  return found.filter((digest) => known.has(digest)).sort();
}

function expectedLayers(name: EngineName, image: TestImage): string[] {
  const digests = UNPACKED.has(name) ? image.diffIds : image.blobs.slice(1);
  return [...digests].sort();
}

function sharesOf(rows: readonly AccessRow[]): { peers: number; seeder: number; origin: number; cache: number } {
  const sum = { peers: 0, seeder: 0, origin: 0, cache: 0 };
  for (const { from } of rows) for (const key of ["peers", "seeder", "origin", "cache"] as const) sum[key] += from?.[key] ?? 0;
  return sum;
}

function times(pull: PullResult, straight?: PullResult): string {
  const ratio = straight === undefined ? "" : ` (× ${(pull.seconds / straight.seconds).toFixed(2)})`;
  return `${pull.seconds.toFixed(2)} s${ratio}`;
}

for (const name of ENGINES) {
  const reason = whyNot(name) ?? (hasDockerRegistry() ? undefined : "docker-registry is not installed");
  const engineTest = reason === undefined ? test : test.skip;
  engineTest(`${name} pulls from a private registry through the mirror with the right login only`, async (t) => {
    await using registry = await startDockerRegistry({ login: true });
    const image = makeImage([2 * MIB, 0.2 * MIB]);
    const authorization = `Basic ${Buffer.from(`${REGISTRY_LOGIN.username}:${REGISTRY_LOGIN.password}`).toString("base64")}`;
    await pushTestImage(registry.base, REPOSITORY, "v1", image, authorization);
    await using cluster = await Cluster.start();
    const { ready } = await cluster.startDaemon("h0", await mirrorArguments(cluster.folder, registry.base));
    const endpoint = new URL(ready.mirror).host;
    const attempts: [string, { username: string; password: string } | undefined, boolean][] = [
      ["without a login", undefined, false],
      ["with the right one", REGISTRY_LOGIN, true],
      ["with a wrong one, when all is stored", { ...REGISTRY_LOGIN, password: "wrong" }, false],
      ["without one, when all is stored", undefined, false],
    ];
    for (const [what, login, good] of attempts) {
      await using engine = await startEngine(name, { endpoint, login });
      const { exitCode, output } = await engine.pull(REPOSITORY, "v1");
      t.is(exitCode === 0, good, `${what}: ${output}`);
      if (good) t.deepEqual(await layersOf(engine, image), expectedLayers(name, image));
    }
  });
}

for (const name of ENGINES) {
  const reason = whyNot(name) ?? (hasDockerRegistry() ? undefined : "docker-registry is not installed");
  const engineTest = reason === undefined ? test : test.skip;
  engineTest(`dfdaemon setup writes what ${name} reads`, async (t) => {
    await using registry = await startDockerRegistry();
    const image = makeImage([0.5 * MIB]);
    await pushTestImage(registry.base, REPOSITORY, "v1", image);
    await using cluster = await Cluster.start();
    const { ready, stderr } = await cluster.startDaemon("h0", await mirrorArguments(cluster.folder, registry.base));
    const root = join(cluster.folder, "root");
    const engineName = name === "skopeo" || name === "buildah" ? "podman" : name;
    const setup = await runCommand({ command: "dfdaemon", args: ["setup", engineName, "--root", root, "--mirror", ready.mirror] });
    t.is(setup.exitCode, 0, setup.stderr);
    await using engine = await startEngine(name, { endpoint: new URL(ready.mirror).host, root });
    const { exitCode, output } = await engine.pull(REPOSITORY, "v1");
    t.is(exitCode, 0, output);
    t.deepEqual(await layersOf(engine, image), expectedLayers(name, image));
    t.true(accessRows(stderr()).some(({ path, status }) => path.includes(image.blobs[1]) && status === 200));
    const undo = await runCommand({ command: "dfdaemon", args: ["setup", engineName, "--root", root, "--undo"] });
    t.is(undo.exitCode, 0, undo.stderr);
  });
}
