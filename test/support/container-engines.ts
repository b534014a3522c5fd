/**
 * Real container engines for tests: skopeo, podman, buildah, dockerd, containerd, each with folders of its own, pulling one image of
 * docker.io through a mirror on loopback. Ended by the pid that was started. Needs root for all but skopeo.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../registry/digest.ts";
import { temporaryFolder } from "./folders.ts";
import { until } from "./processes.ts";

export type EngineName = "skopeo" | "podman" | "buildah" | "docker" | "containerd";

export interface PullResult {
  readonly exitCode: number | string;
  readonly output: string;
  readonly seconds: number;
}

/** An engine with an empty store. */
export interface ContainerEngine extends AsyncDisposable {
  readonly name: EngineName;
  /** Pulls `docker.io/REPOSITORY:TAG` into an empty store. */
  pull(repository: string, tag: string): Promise<PullResult>;
  /** Digests of the layers that it stored, where it tells; uncompressed ones for docker. */
  layers(repository: string, tag: string): Promise<string[]>;
}

export interface EngineOptions {
  /** `127.0.0.1:PORT` of the mirror, or of the registry itself. */
  readonly endpoint: string;
  /** Folder below which `dfdaemon setup` wrote the engine's configuration; absent: one is written that has the endpoint only. */
  readonly root?: string;
  /** Sent with each pull. */
  readonly login?: { readonly username: string; readonly password: string };
}

const COMMANDS: Readonly<Record<EngineName, readonly string[]>> = {
  skopeo: ["skopeo"],
  podman: ["podman"],
  buildah: ["buildah"],
  docker: ["dockerd", "docker"],
  containerd: ["containerd", "ctr"],
};
const PULL_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 10_000;
const POLICY = '{"default":[{"type":"insecureAcceptAnything"}]}';

/** Why the engine cannot be run here; undefined: it can. */
export function whyNot(name: EngineName): string | undefined {
  const missing = COMMANDS[name].find((command) => spawnSync("sh", ["-c", `command -v ${command}`]).status !== 0);
  if (missing !== undefined) return `${missing} is not installed`;
  return name !== "skopeo" && process.getuid?.() !== 0 ? `${name} needs root` : undefined;
}

/** Starts the engine. */
export function startEngine(name: EngineName, options: EngineOptions): Promise<ContainerEngine> {
  switch (name) {
    case "skopeo":
      return startSkopeo(options);
    case "podman":
      return startPodman(options);
    case "buildah":
      return startBuildah(options);
    case "docker":
      return startDocker(options);
    case "containerd":
      return startContainerd(options);
  }
}

async function startSkopeo(options: EngineOptions): Promise<ContainerEngine> {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryFolder());
  const env = await containersConfiguration(path, options);
  let pulls = 0;
  const out = (): string => join(path, `out${pulls}`);
  return {
    name: "skopeo",
    pull: (repository, tag) => {
      pulls++;
      const from = `docker://docker.io/${repository}:${tag}`;
      return run(
        "skopeo",
        ["--policy", join(path, "policy.json"), "--registries-conf", join(path, "registries.conf"), "copy", from, `dir:${out()}`],
        env,
      );
    },
    layers: async () => {
      const names = (await readdir(out())).filter((file) => /^[0-9a-f]{64}$/.test(file));
      return Promise.all(names.map(async (file) => digestOf(await readFile(join(out(), file)))));
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function startPodman(options: EngineOptions): Promise<ContainerEngine> {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryFolder());
  const env = await containersConfiguration(path, options);
  const common = ["--root", join(path, "root"), "--runroot", join(path, "run"), "--storage-driver", "vfs"];
  common.push("--cgroup-manager", "cgroupfs", "--events-backend", "file");
  const image = (repository: string, tag: string): string => `docker.io/${repository}:${tag}`;
  return {
    name: "podman",
    pull: async (repository, tag) => {
      await run("podman", [...common, "rmi", "-f", "-a"], env);
      return run("podman", [...common, "pull", "--signature-policy", join(path, "policy.json"), image(repository, tag)], env);
    },
    layers: async (repository, tag) => {
      const { output } = await run(
        "podman",
        [...common, "image", "inspect", "--format", "{{json .RootFS.Layers}}", image(repository, tag)],
        env,
      );
      return JSON.parse(output.trim().split("\n").at(-1) ?? "[]") as string[];
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function startBuildah(options: EngineOptions): Promise<ContainerEngine> {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryFolder());
  const env = await containersConfiguration(path, options);
  const common = ["--root", join(path, "root"), "--runroot", join(path, "run"), "--storage-driver", "vfs"];
  const image = (repository: string, tag: string): string => `docker.io/${repository}:${tag}`;
  return {
    name: "buildah",
    pull: async (repository, tag) => {
      await run("buildah", [...common, "rmi", "-f", "-a"], env);
      return run("buildah", [...common, "pull", "--signature-policy", join(path, "policy.json"), image(repository, tag)], env);
    },
    layers: async (repository, tag) => {
      const { output } = await run("buildah", [...common, "inspect", "--type", "image", image(repository, tag)], env);
      const { OCIv1 } = JSON.parse(output) as { OCIv1: { rootfs: { diff_ids: string[] } } };
      return OCIv1.rootfs.diff_ids;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function startDocker({ endpoint, login, root }: EngineOptions): Promise<ContainerEngine> {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryFolder());
  const host = `unix://${join(path, "docker.sock")}`;
  // what goes past the mirror must fail
  const environment = { HTTPS_PROXY: "http://127.0.0.1:9", HTTP_PROXY: "", NO_PROXY: "127.0.0.1" };
  const folders = ["--data-root", join(path, "data"), "--exec-root", join(path, "exec"), "--pidfile", join(path, "pid")];
  const network = ["--iptables=false", "--ip6tables=false", "--bridge=none"];
  const mirror = root === undefined ? ["--registry-mirror", `http://${endpoint}`, "--insecure-registry", endpoint] : [];
  const configuration = root === undefined ? join(path, "daemon.json") : join(root, "etc/docker/daemon.json");
  if (root === undefined) await writeFile(configuration, "{}");
  const args = [...network, ...folders, "-H", host, ...mirror, "--storage-driver", "vfs", "--config-file", configuration];
  const daemon = stack.use(startDaemon("dockerd", args, environment));
  const env = { DOCKER_HOST: host, DOCKER_CONFIG: join(path, "client") };
  await mkdir(env.DOCKER_CONFIG);
  if (login !== undefined) {
    const auth = Buffer.from(`${login.username}:${login.password}`).toString("base64");
    await writeFile(join(env.DOCKER_CONFIG, "config.json"), JSON.stringify({ auths: { "https://index.docker.io/v1/": { auth } } }));
  }
  const answers = async (): Promise<boolean> => (await run("docker", ["version"], env)).exitCode === 0;
  await until(answers, 30_000).catch((cause) => Promise.reject(new Error(`dockerd: ${daemon.output()}`, { cause })));
  const short = (repository: string): string => repository.replace(/^library\//, "");
  return {
    name: "docker",
    pull: async (repository, tag) => {
      await run("docker", ["rmi", "-f", `${short(repository)}:${tag}`], env);
      const result = await run("docker", ["pull", `${short(repository)}:${tag}`], env);
      return result.exitCode === 0 ? result : { ...result, output: result.output + daemon.output().slice(-3000) };
    },
    layers: async (repository, tag) => {
      const { output } = await run(
        "docker",
        ["image", "inspect", "--format", "{{json .RootFS.Layers}}", `${short(repository)}:${tag}`],
        env,
      );
      return JSON.parse(output) as string[];
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function startContainerd({ endpoint, login, root }: EngineOptions): Promise<ContainerEngine> {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryFolder());
  const socket = join(path, "containerd.sock");
  const lines = [
    "version = 2",
    `root = "${join(path, "root")}"`,
    `state = "${join(path, "state")}"`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]',
    "[grpc]",
    `address = "${socket}"`,
    "[ttrpc]",
    `address = "${socket}.ttrpc"`,
  ];
  await writeFile(join(path, "config.toml"), `${lines.join("\n")}\n`);
  await mkdir(join(path, "hosts", "docker.io"), { recursive: true });
  const hosts = ['server = "https://registry-1.docker.io"', `[host."http://${endpoint}"]`, 'capabilities = ["pull", "resolve"]'];
  await writeFile(join(path, "hosts", "docker.io", "hosts.toml"), `${hosts.join("\n")}\n`);
  const daemon = stack.use(startDaemon("containerd", ["--config", join(path, "config.toml")], { HTTPS_PROXY: "http://127.0.0.1:9" }));
  const ctr = (args: readonly string[]): Promise<PullResult> => run("ctr", ["-a", socket, ...args], {});
  const answers = async (): Promise<boolean> => (await ctr(["version"])).exitCode === 0;
  await until(answers, 30_000).catch((cause) => Promise.reject(new Error(`containerd: ${daemon.output()}`, { cause })));
  const user = login === undefined ? [] : ["--user", `${login.username}:${login.password}`];
  const contents = async (): Promise<string[]> =>
    (await ctr(["content", "ls", "-q"])).output.split("\n").filter((line) => line.startsWith("sha256:"));
  return {
    name: "containerd",
    pull: async (repository, tag) => {
      const image = `docker.io/${repository}:${tag}`;
      await ctr(["images", "rm", "--sync", image]);
      const stale = await contents();
      if (stale.length > 0) await ctr(["content", "rm", ...stale]);
      return ctr([
        "images",
        "pull",
        "--hosts-dir",
        root === undefined ? join(path, "hosts") : join(root, "etc/containerd/certs.d"),
        "--snapshotter",
        "native",
        ...user,
        image,
      ]);
    },
    layers: contents,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A daemon that is asked to end before it is killed: it would leave mounts. */
function startDaemon(command: string, args: readonly string[], env: Readonly<Record<string, string>>): EngineDaemon {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const exited = once(child, "close");
  return {
    output: () => output,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

interface EngineDaemon extends AsyncDisposable {
  readonly output: () => string;
}

/** registries.conf in which docker.io is that endpoint and nothing else. */
async function containersConfiguration(path: string, { endpoint, login, root }: EngineOptions): Promise<Record<string, string>> {
  const lines = [
    "[[registry]]",
    'prefix = "docker.io"',
    'location = "127.0.0.1:9"',
    "[[registry.mirror]]",
    `location = "${endpoint}"`,
    "insecure = true",
  ];
  if (root === undefined) await writeFile(join(path, "registries.conf"), `${lines.join("\n")}\n`);
  else await copyFile(join(root, "etc/containers/registries.conf.d/50-skimmer.conf"), join(path, "registries.conf"));
  await writeFile(join(path, "policy.json"), POLICY);
  // a mirror's login goes by the mirror's own location
  const auths = login === undefined ? {} : { [endpoint]: { auth: Buffer.from(`${login.username}:${login.password}`).toString("base64") } };
  await writeFile(join(path, "auth.json"), JSON.stringify({ auths }));
  return { CONTAINERS_REGISTRIES_CONF: join(path, "registries.conf"), REGISTRY_AUTH_FILE: join(path, "auth.json"), XDG_RUNTIME_DIR: path };
}

async function run(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<PullResult> {
  const startedMs = performance.now();
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], timeout: PULL_LIMIT_MS });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  return { exitCode: code ?? signal ?? "unknown", output, seconds: (performance.now() - startedMs) / 1000 };
}
