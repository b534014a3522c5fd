/** What tests of the mirror share: places with a scripted registry, options, the access log's lines, what a registry sent. */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import http from "node:http";
import { join } from "node:path";
import type { TaskRow } from "../../peer/daemon/daemon-api.ts";
import type { BytesFrom } from "../../peer/engine/types.ts";
import { requestJson } from "../../system/json-http.ts";
import { Cluster } from "./cluster.ts";
import type { RunningCommand } from "./processes.ts";
import { ScriptedRegistry } from "./scripted-registry.ts";

/** A scripted registry, which is docker.io, and a cluster in front of it. */
export interface MirrorPlace extends AsyncDisposable {
  readonly registry: ScriptedRegistry;
  readonly cluster: Cluster;
  /** A daemon with a mirror. */
  start(name: string, more?: readonly string[]): Promise<RunningCommand>;
}

/** `yaml`: more lines of docker.io's entry in the mirror's configuration; `tls`: the registry's key and certificate. */
export async function startMirrorPlace(
  behaviour: Partial<ScriptedRegistry["behaviour"]> = {},
  yaml: readonly string[] = [],
  tls?: { readonly key: string; readonly cert: string },
): Promise<MirrorPlace> {
  const stack = new AsyncDisposableStack();
  const registry = stack.use(await ScriptedRegistry.start(behaviour, tls));
  const cluster = stack.use(await Cluster.start());
  const args = await mirrorArguments(cluster.folder, registry.base, yaml);
  const start = (name: string, more: readonly string[] = []): Promise<RunningCommand> => cluster.startDaemon(name, [...args, ...more]);
  return { registry, cluster, start, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Copies of a blob that the registry was asked for; a probe asks for one byte. */
export function copiesSent(registry: ScriptedRegistry, digest: string, lengthBytes: number): number {
  const ranges = registry.requests.filter(({ method, path, status }) => method === "GET" && path.includes(digest) && status < 300);
  const bytes = ranges.map(({ headers }) => {
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
    if (first === undefined) return lengthBytes;
    return (last === "" ? lengthBytes - 1 : Number(last)) - Number(first) + 1;
  });
  return bytes.reduce((sum, length) => sum + length, 0) / lengthBytes;
}

/** A daemon with a mirror on a free port, whose access log is kept; docker.io is this registry. `extra`: more lines of its YAML. */
export async function mirrorArguments(folder: string, registry: string, extra: readonly string[] = []): Promise<string[]> {
  const path = join(folder, `mirror-${randomBytes(4).toString("hex")}.yaml`);
  await writeFile(path, ["registries:", "  docker.io:", `    url: ${registry}`, ...extra, ""].join("\n"));
  return ["--mirror-listen", "127.0.0.1:0", "--mirror-config", path, "--log-level", "info"];
}

/** One line of the access log. */
export interface AccessRow {
  readonly msg: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
  readonly complete: boolean;
  readonly cache?: string;
  readonly source?: string;
  readonly reason?: string;
  readonly from?: Partial<BytesFrom> & { readonly registry?: number };
}

/** The access log in a daemon's log. */
export function accessRows(stderr: string): AccessRow[] {
  const lines = stderr.split("\n").filter((line) => line.includes('"mirror access"'));
  return lines.map((line) => JSON.parse(line) as AccessRow);
}

/** Bytes of these blobs that docker-registry's access log shows as sent. */
export function bytesSent(log: string, digests: readonly string[]): number {
  const wanted = new Set(digests);
  let sum = 0;
  for (const [, digest, bytes] of log.matchAll(/"GET [^"]*\/blobs\/(sha256:[0-9a-f]{64})[^"]*" 20[06] (\d+)/g))
    if (wanted.has(digest)) sum += Number(bytes);
  return sum;
}

/** What a daemon stores, from its own API. */
export async function storedTasks(socketPath: string): Promise<TaskRow[]> {
  const { body } = await requestJson({ url: "http://dfdaemon/v1/tasks", socketPath });
  return (body as { tasks: TaskRow[] }).tasks;
}

/** GET, with what it came to; `complete` is false where the connection was cut, and `status` 0 where that was before the answer began. */
export async function pull(url: string, headers: Readonly<Record<string, string>> = {}, method = "GET"): Promise<Pulled> {
  const { promise, resolve, reject } = Promise.withResolvers<Pulled>();
  const sent = http.request(url, { method, headers, agent: false }, (answer) => {
    const chunks: Buffer[] = [];
    const end = (complete: boolean): void =>
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks), complete });
    answer.on("data", (chunk: Buffer) => chunks.push(chunk));
    answer.on("end", () => end(true));
    answer.on("error", () => end(false));
  });
  sent.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ECONNRESET") resolve({ status: 0, headers: {}, body: Buffer.alloc(0), complete: false });
    else reject(error);
  });
  sent.end();
  return promise;
}

export interface Pulled {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly complete: boolean;
}
