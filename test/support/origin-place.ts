/**
 * For tests of sources: a daemon with origin options and dfget through it; one content at every kind of source but http.
 */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Cluster } from "./cluster.ts";
import { temporaryFolder } from "./folders.ts";
import { type CommandResult, type RunningCommand, runCommand, startCommand } from "./processes.ts";
import { S3_BUCKET, S3_CREDENTIALS, startS3Server } from "./s3-server.ts";
import { WebHdfsServer } from "./webhdfs-server.ts";

export { lastJson } from "./processes.ts";

type Variables = Readonly<Record<string, string>>;

export interface OriginPlace extends AsyncDisposable {
  readonly folder: string;
  path(name: string): string;
  dfget(...args: string[]): Promise<CommandResult>;
}

/** A daemon in a temporary folder, started there with these flags and variables; no supernode answers it. */
export async function place(flags: readonly string[], env: Variables = {}): Promise<OriginPlace> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder());
  const home = join(folder, "home");
  const common = ["--home", home, "--supernode", "http://127.0.0.1:1"];
  stack.use(await startCommand({ command: "dfdaemon", args: [...common, "--peer-listen", "127.0.0.1:0", ...flags], env, folder }));
  const open = stack.move();
  return {
    folder,
    path: (name) => join(folder, name),
    dfget: (...args) => runCommand({ command: "dfget", args: [...args, ...common, "--json"], folder }),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

export interface Sources extends AsyncDisposable {
  /** file, s3, hdfs. */
  readonly urls: readonly [string, string, string];
  readonly sha256: string;
  /** What a command needs to read them. */
  readonly flags: readonly string[];
  readonly env: Variables;
  startSeeder(cluster: Cluster): Promise<RunningCommand>;
}

export async function startSource(content: Buffer): Promise<Sources> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder());
  const s3 = stack.use(await startS3Server());
  const hdfs = stack.use(await WebHdfsServer.start());
  const path = join(folder, "model.bin");
  await Promise.all([writeFile(path, content), s3.put("models/model.bin", content)]);
  const flags = ["--file-root", folder, "--s3-endpoint", s3.endpoint, "--s3-path-style"];
  const env = { AWS_ACCESS_KEY_ID: S3_CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: S3_CREDENTIALS.secretAccessKey };
  const open = stack.move();
  return {
    urls: [pathToFileURL(path).href, `s3://${S3_BUCKET}/models/model.bin`, hdfs.add("/models/model.bin", content)],
    sha256: createHash("sha256").update(content).digest("hex"),
    flags,
    env,
    startSeeder: (cluster) => {
      const args = ["--supernode", cluster.url, "--listen", "127.0.0.1:0", "--data", cluster.home("seeder"), "--log-level", "warn"];
      return startCommand({ command: "seeder", args: [...args, ...flags], env });
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
