/**
 * A registry for tests (OCI distribution, pulls only) with its token server and, on another port, the store that its layers
 * are redirected to. Behaviour can be changed while it runs; every request is kept.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { digestOf } from "../../registry/digest.ts";

export interface SeenRegistryRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly status: number;
}

export interface Stored {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

export interface RegistryBehaviour {
  auth: "none" | "basic" | "bearer";
  username: string;
  password: string;
  /** Anonymous callers get tokens too. */
  anonymous: boolean;
  realm: string;
  /** The token server's answer to a good question. */
  tokenAnswer: (token: string) => object;
  /** Layers are redirected to the store on another port. */
  redirectBlobs: boolean;
  /** Fails requests of these paths with this status. */
  fail: Map<string, number>;
  /** Fails the next requests of these paths, one after the other. */
  failNext: Map<string, number[]>;
  /** Sent with 429 and 503. */
  retryAfter: string | undefined;
  /** The store takes each signature so often; 0: always. */
  signatureUses: number;
  /** Layers come in chunks of this length, twenty milliseconds apart; 0: as fast as they go. */
  slowChunkBytes: number;
  contentDigestHeader: boolean;
  /** The connection is cut after so many bytes of a layer; 0: never. */
  cutBlobsAfter: number;
}

/** Key and certificate, in PEM. */
type RegistryTlsFiles = { readonly key: string; readonly cert: string };

const IMAGE = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";

/** What an image consists of. */
export interface ImageInput {
  readonly repository: string;
  readonly tag: string;
  readonly layers: readonly Buffer[];
}

export class ScriptedRegistry implements AsyncDisposable {
  readonly requests: SeenRegistryRequest[] = [];
  readonly storeRequests: SeenRegistryRequest[] = [];
  readonly behaviour: RegistryBehaviour = {
    auth: "none",
    username: "user",
    password: "pass",
    anonymous: false,
    realm: "/token",
    tokenAnswer: (token) => ({ token, expires_in: 300 }),
    redirectBlobs: false,
    fail: new Map(),
    failNext: new Map(),
    retryAfter: undefined,
    signatureUses: 0,
    slowChunkBytes: 0,
    contentDigestHeader: true,
    cutBlobsAfter: 0,
  };
  /** `repository/digest` */
  readonly blobs = new Map<string, Stored>();
  /** `repository/tag` and `repository/digest` */
  readonly manifests = new Map<string, Stored>();
  /** Token → scope. */
  readonly tokens = new Map<string, string>();
  readonly #scheme: "http" | "https";
  readonly #uses = new Map<string, number>();
  readonly #server: Server;
  readonly #store: Server;

  private constructor(tls: RegistryTlsFiles | undefined) {
    const serve: RequestListener = (request, response) => this.#serve(request, response);
    this.#scheme = tls === undefined ? "http" : "https";
    this.#server = tls === undefined ? createServer(serve) : createSecureServer(tls, serve);
    this.#store = createServer((request, response) => this.#serveStore(request, response));
  }

  /** `tls`: it speaks https with this certificate. */
  static async start(behaviour: Partial<RegistryBehaviour> = {}, tls?: RegistryTlsFiles): Promise<ScriptedRegistry> {
    const registry = new ScriptedRegistry(tls);
    Object.assign(registry.behaviour, behaviour);
    for (const server of [registry.#server, registry.#store]) {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    }
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get base(): string {
    return `${this.#scheme}://${this.host}`;
  }

  count(pattern: RegExp): number {
    return this.requests.filter(({ method, path }) => pattern.test(`${method} ${path}`)).length;
  }

  addBlob(repository: string, bytes: Buffer, mediaType = "application/octet-stream"): { digest: string; size: number; mediaType: string } {
    const digest = digestOf(bytes);
    this.blobs.set(`${repository}/${digest}`, { bytes, mediaType });
    return { digest, size: bytes.length, mediaType };
  }

  addManifest(repository: string, content: object | Buffer, mediaType: string, tag?: string): { digest: string; size: number } {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const digest = digestOf(bytes);
    for (const name of [digest, ...(tag === undefined ? [] : [tag])]) this.manifests.set(`${repository}/${name}`, { bytes, mediaType });
    return { digest, size: bytes.length };
  }

  /** One image of one platform; answers its manifest's digest and those of its blobs, the configuration's first. */
  addImage({ repository, tag, layers }: ImageInput): { digest: string; size: number; mediaType: string; blobs: string[] } {
    const config = this.addBlob(repository, Buffer.from(JSON.stringify({ nonce: randomBytes(8).toString("hex") })));
    const descriptors = layers.map((bytes) => this.addBlob(repository, bytes, "application/vnd.oci.image.layer.v1.tar+gzip"));
    const manifest = { schemaVersion: 2, mediaType: IMAGE, config, layers: descriptors };
    const { digest, size } = this.addManifest(repository, manifest, IMAGE, tag);
    return { digest, size, mediaType: IMAGE, blobs: [config.digest, ...descriptors.map((layer) => layer.digest)] };
  }

  /** An index over images of several platforms (`linux/amd64`). */
  addIndex(repository: string, tag: string, images: Readonly<Record<string, { digest: string; size: number; mediaType: string }>>): string {
    const manifests = Object.entries(images).map(([name, { digest, size, mediaType }]) => {
      const [os, architecture, variant] = name.split("/");
      return { digest, size, mediaType, platform: { os, architecture, variant } };
    });
    return this.addManifest(repository, { schemaVersion: 2, mediaType: INDEX, manifests }, INDEX, tag).digest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#server, this.#store]) {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    }
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", this.base);
    const status = this.#answer(url, request, response);
    this.requests.push({ method: request.method ?? "", path: url.pathname + url.search, headers: request.headers, status });
  }

  #answer(url: URL, request: IncomingMessage, response: ServerResponse): number {
    const failing = this.behaviour.failNext.get(url.pathname)?.shift() ?? this.behaviour.fail.get(url.pathname);
    if (this.behaviour.retryAfter !== undefined && failing !== undefined) response.setHeader("retry-after", this.behaviour.retryAfter);
    if (failing !== undefined) return end(response, failing, { errors: [{ code: "DENIED", message: "scripted" }] });
    if (url.pathname === "/token") return this.#serveToken(url, request, response);
    const [, repository = "", kind, reference] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
    if (!this.#admits(request, repository)) return this.#challenge(response, repository);
    if (url.pathname === "/v2/") return end(response, 200, {});
    const stored = (kind === "manifests" ? this.manifests : this.blobs).get(`${repository}/${reference}`);
    if (stored === undefined) return end(response, 404, { errors: [{ code: kind === "blobs" ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN" }] });
    if (kind === "blobs" && this.behaviour.redirectBlobs) {
      const { port } = this.#store.address() as AddressInfo;
      response
        .writeHead(307, { location: `http://localhost:${port}/${repository}/${reference}?signature=${randomBytes(8).toString("hex")}` })
        .end();
      return 307;
    }
    if (this.behaviour.contentDigestHeader) response.setHeader("docker-content-digest", digestOf(stored.bytes));
    return sendBytes(request, response, stored, kind === "blobs" ? this.behaviour : undefined);
  }

  #serveStore(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, search } = new URL(request.url ?? "/", this.base);
    const stored = this.blobs.get(pathname.slice(1));
    const uses = (this.#uses.get(search) ?? 0) + 1;
    this.#uses.set(search, uses);
    const { signatureUses } = this.behaviour;
    const expired = signatureUses > 0 && uses > signatureUses;
    const status = stored === undefined || expired ? end(response, expired ? 403 : 404, {}) : sendBytes(request, response, stored);
    this.storeRequests.push({ method: request.method ?? "", path: pathname + search, headers: request.headers, status });
  }

  #serveToken(url: URL, request: IncomingMessage, response: ServerResponse): number {
    const { username, password, anonymous, tokenAnswer } = this.behaviour;
    const good = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    const given = request.headers.authorization;
    if (given === undefined ? !anonymous && request.method === "GET" : given !== good) return end(response, 401, { details: "no" });
    const token = randomBytes(8).toString("hex");
    this.tokens.set(token, url.searchParams.getAll("scope").join(" "));
    return end(response, 200, tokenAnswer(token));
  }

  #admits({ headers: { authorization } }: IncomingMessage, repository: string): boolean {
    const { auth, username, password } = this.behaviour;
    if (auth === "none") return true;
    if (auth === "basic") return authorization === `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    const scope = this.tokens.get((authorization ?? "").replace(/^Bearer /, ""));
    return scope?.includes(`repository:${repository}:`) === true;
  }

  #challenge(response: ServerResponse, repository: string): number {
    const { auth, realm } = this.behaviour;
    const bearer = `Bearer realm="${realm}",service="scripted",scope="repository:${repository}:pull"`;
    response.setHeader("www-authenticate", auth === "basic" ? 'Basic realm="scripted"' : bearer);
    return end(response, 401, { errors: [{ code: "UNAUTHORIZED" }] });
  }
}

function end(response: ServerResponse, status: number, body: object): number {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  return status;
}

type Manner = Pick<RegistryBehaviour, "cutBlobsAfter" | "slowChunkBytes">;

function sendBytes(request: IncomingMessage, response: ServerResponse, { bytes, mediaType }: Stored, manner?: Manner): number {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const start = Number(first ?? 0);
  const stop = last === undefined || last === "" ? bytes.length - 1 : Math.min(Number(last), bytes.length - 1);
  if (first !== undefined && start >= bytes.length) {
    response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
    return 416;
  }
  const part = bytes.subarray(start, stop + 1);
  const headers: Record<string, string | number> = { "content-type": mediaType, "content-length": part.length, "accept-ranges": "bytes" };
  headers.etag = `"${digestOf(bytes)}"`;
  if (first !== undefined) headers["content-range"] = `bytes ${start}-${stop}/${bytes.length}`;
  response.writeHead(first === undefined ? 200 : 206, headers);
  const { cutBlobsAfter: cutAfter = 0, slowChunkBytes = 0 } = manner ?? {};
  if (slowChunkBytes > 0 && request.method !== "HEAD") sendSlowly(response, part, slowChunkBytes);
  else if (cutAfter > 0 && part.length > cutAfter && request.method !== "HEAD")
    response.write(part.subarray(0, cutAfter), () => setImmediate(() => response.destroy()));
  else response.end(request.method === "HEAD" ? undefined : part);
  return first === undefined ? 200 : 206;
}

function sendSlowly(response: ServerResponse, part: Buffer, chunkBytes: number): void {
  let at = 0;
  const timer = setInterval(() => {
    response.write(part.subarray(at, at + chunkBytes));
    at += chunkBytes;
    if (at < part.length) return;
    clearInterval(timer);
    response.end();
  }, 20);
  response.on("close", () => clearInterval(timer));
}
