/**
 * Debian's docker-registry (CNCF distribution) as a process of a test, and pushes to it. Ended by the pid that was started.
 */
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { request } from "undici";
import { digestOf } from "../../registry/digest.ts";
import { openRegistryConnections } from "../../registry/registry-http.ts";
import type { TestCertificate } from "./certificates.ts";
import { temporaryFolder } from "./folders.ts";
import { until } from "./processes.ts";
import { TOKEN_ISSUER, TOKEN_SERVICE, type TokenServer } from "./token-server.ts";
import { runTool } from "./tools.ts";

const MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
/** Of user "user" with password "pass", made for tests, with few rounds. */
const HTPASSWD = "user:$2b$05$XhdR7B6kQozhzjOpDY9JXutQ.ZaPtVHOzDB9iZz43L2FHvKtKqybW\n";
export const REGISTRY_LOGIN = { username: "user", password: "pass" } as const;
const BASIC = `Basic ${Buffer.from(`${REGISTRY_LOGIN.username}:${REGISTRY_LOGIN.password}`).toString("base64")}`;

export interface DockerRegistryOptions {
  /** Only with REGISTRY_LOGIN. */
  readonly login?: boolean;
  /** Speaks https with this certificate, and takes this server's tokens. */
  readonly token?: { readonly server: TokenServer; readonly certificate: TestCertificate };
  /** Is the pull-through cache of this registry. */
  readonly proxyOf?: string;
  /** Sends its notifications there. */
  readonly notify?: { readonly url: string; readonly authorization: string };
}

export interface DockerRegistry extends AsyncDisposable {
  readonly host: string;
  readonly base: string;
  /** Its log, the access log in it. */
  log(): string;
  /** Pushes an image of these layers; answers the digests of configuration and layers. */
  push(repository: string, tag: string, layers: readonly Buffer[]): Promise<{ manifest: string; blobs: string[] }>;
}

export function hasDockerRegistry(): boolean {
  return spawnSync("docker-registry", ["--version"]).status === 0;
}

/** Starts one on a free port with an empty store. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const config = join(folder.path, "config.yml");
  await writeFile(join(folder.path, "htpasswd"), HTPASSWD);
  if (options.token !== undefined) {
    await writeFile(join(folder.path, "cert.pem"), options.token.certificate.cert);
    await writeFile(join(folder.path, "key.pem"), options.token.certificate.key);
  }
  await writeFile(config, JSON.stringify(configuration(folder.path, options)));
  const tool = stack.use(runTool("docker-registry", ["serve", config]));
  await until(() => /listening on 127/.test(tool.output()), 20_000);
  const [, host] = /listening on (127\.0\.0\.1:\d+)/.exec(tool.output()) as unknown as [string, string];
  const base = `${options.token === undefined ? "http" : "https"}://${host}`;
  return {
    host,
    base,
    log: tool.output,
    push: (repository, tag, layers) => {
      const authorization =
        options.token === undefined ? BASIC : `Bearer ${options.token.server.issue(`repository:${repository}:pull,push`)}`;
      return pushImage({ url: `${base}/v2/${repository}`, authorization, caFile: options.token?.certificate.caFile }, tag, layers);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** YAML, of which JSON is a part. */
function configuration(folder: string, { login, notify, token, proxyOf }: DockerRegistryOptions): object {
  const endpoint = notify && {
    name: "skimmer",
    url: notify.url,
    headers: { Authorization: [notify.authorization] },
    timeout: "2s",
    threshold: 5,
    backoff: "1s",
  };
  return {
    version: 0.1,
    log: { level: "info", formatter: "text" },
    storage: { filesystem: { rootdirectory: join(folder, "store") } },
    http: {
      addr: "127.0.0.1:0",
      secret: "test",
      ...(token && { tls: { certificate: join(folder, "cert.pem"), key: join(folder, "key.pem") } }),
    },
    ...(token && {
      auth: {
        token: { realm: token.server.realm, service: TOKEN_SERVICE, issuer: TOKEN_ISSUER, rootcertbundle: token.certificate.caFile },
      },
    }),
    ...(proxyOf !== undefined && { proxy: { remoteurl: proxyOf } }),
    ...(login === true && { auth: { htpasswd: { realm: "test", path: join(folder, "htpasswd") } } }),
    ...(endpoint && { notifications: { endpoints: [endpoint] } }),
  };
}

interface PushTarget {
  /** `…/v2/NAME` */
  readonly url: string;
  readonly authorization: string;
  readonly caFile: string | undefined;
}

async function pushImage(target: PushTarget, tag: string, layers: readonly Buffer[]): Promise<{ manifest: string; blobs: string[] }> {
  const config = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } }));
  for (const blob of [config, ...layers]) await pushBlob(target, blob);
  const describe = (bytes: Buffer, mediaType: string): object => ({ mediaType, size: bytes.length, digest: digestOf(bytes) });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: describe(config, "application/vnd.docker.container.image.v1+json"),
      layers: layers.map((bytes) => describe(bytes, "application/vnd.docker.image.rootfs.diff.tar.gzip")),
    }),
  );
  await send(target, `${target.url}/manifests/${tag}`, "PUT", { "content-type": MANIFEST }, manifest);
  return { manifest: digestOf(manifest), blobs: [config, ...layers].map((bytes) => digestOf(bytes)) };
}

async function pushBlob(target: PushTarget, bytes: Buffer): Promise<void> {
  const location = await send(target, `${target.url}/blobs/uploads/`, "POST", {});
  const url = new URL(location, target.url);
  url.searchParams.set("digest", digestOf(bytes));
  await send(target, url.href, "PUT", { "content-type": "application/octet-stream" }, bytes);
}

async function send(
  target: PushTarget,
  url: string,
  method: "POST" | "PUT",
  headers: Record<string, string>,
  body?: Buffer,
): Promise<string> {
  const dispatcher = openRegistryConnections({ caFile: target.caFile });
  try {
    const answer = await request(url, { dispatcher, method, headers: { authorization: target.authorization, ...headers }, body });
    await answer.body.dump();
    if (answer.statusCode >= 300) throw new Error(`${method} ${url}: ${answer.statusCode}`);
    return String(answer.headers.location ?? "");
  } finally {
    await dispatcher.close();
  }
}
