/**
 * An HTTP origin for tests whose misbehaviour can be switched on and off while it runs. Counts what it sends.
 * Also a program of its own (`node test/support/scripted-origin.ts --length 64MiB --rate 20MB`), so that measurements do
 * not share its event loop.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parseBytes } from "../../system/units.ts";

/** How one path behaves. */
export interface OriginFile {
  content: Buffer;
  etag?: string;
  lastModified?: string;
  cacheControl?: string;
  /** Time before each answer. */
  latencyMs?: number;
  /** Ignores If-None-Match and If-Modified-Since. */
  noConditions?: boolean;
  /** Ignores Range and answers 200. */
  noRanges?: boolean;
  /** No Content-Length. */
  chunked?: boolean;
  /** Answers with this status instead, so many times (absent: always). */
  status?: number;
  statusTimes?: number;
  retryAfter?: string;
  /** Only with this Authorization header; others get 401. */
  authorization?: string;
  /** Destroys the connection after so many bytes of a body, so many times (absent: always). */
  breakAfterBytes?: number;
  breakTimes?: number;
  /** Stops sending after so many bytes and keeps the connection open, so many times (absent: always). */
  stallAfterBytes?: number;
  stallTimes?: number;
  /** Bytes per second of each answer, so many times (absent: always). */
  answerBytesPerSecond?: number;
  slowTimes?: number;
  /** Answers to range requests have no Content-Length and go on to the end of the file. */
  endlessRange?: boolean;
  /** Claims this total length in headers. */
  claimLength?: number;
  contentEncoding?: string;
  wrongRange?: boolean;
  redirectTo?: string;
  disposition?: string;
}

export interface SeenRequest {
  readonly path: string;
  readonly range: string | undefined;
  readonly headers: IncomingMessage["headers"];
}

const CHUNK_BYTES = 64 * 1024;

/** A running origin. */
export class ScriptedOrigin implements AsyncDisposable {
  readonly files = new Map<string, OriginFile>();
  readonly requests: SeenRequest[] = [];
  /** Body bytes handed to sockets, by path. */
  readonly sent = new Map<string, number>();
  /** Bytes per second over all connections; 0 is unlimited. */
  bytesPerSecond = 0;
  /** Accepted so far, and answers under way: the most at once. */
  connections = 0;
  mostAtOnce = 0;
  #underWay = 0;
  readonly #server: Server;
  /** When the next bytes may leave. */
  #freeAtMs = 0;

  readonly #scheme: string;

  private constructor(tls?: { key: string; cert: string }) {
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      response.on("error", () => undefined);
      this.#serve(request, response).catch(() => response.destroy());
    };
    this.#server = tls === undefined ? createServer(serve) : createSecureServer(tls, serve);
    this.#scheme = tls === undefined ? "http" : "https";
    this.#server.on("connection", () => this.connections++);
  }

  /** With `tls` it speaks https. */
  static async start(
    options: { bytesPerSecond?: number; host?: string; port?: number; tls?: { key: string; cert: string } } = {},
  ): Promise<ScriptedOrigin> {
    const origin = new ScriptedOrigin(options.tls);
    origin.bytesPerSecond = options.bytesPerSecond ?? 0;
    origin.#server.listen(options.port ?? 0, options.host ?? "127.0.0.1");
    await once(origin.#server, "listening");
    return origin;
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `${this.#scheme}://${address}:${port}`;
  }

  get bytesSent(): number {
    return [...this.sent.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Serves the content; answers its URL and the entry to misbehave with. */
  add(path: string, content: Buffer, behaviour: Partial<OriginFile> = {}): { url: string; file: OriginFile; sha256: string } {
    const sha256 = createHash("sha256").update(content).digest("hex");
    const file: OriginFile = { content, etag: `"${sha256.slice(0, 16)}"`, ...behaviour };
    this.files.set(path, file);
    return { url: this.url + path, file, sha256 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? "/", this.url).pathname;
    this.requests.push({ path, range: request.headers.range, headers: request.headers });
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#underWay);
    response.once("close", () => this.#underWay--);
    const file = this.files.get(path);
    if (file === undefined) return void response.writeHead(404).end("not here");
    if (file.latencyMs !== undefined) await sleep(file.latencyMs);
    if (file.redirectTo !== undefined) return void response.writeHead(302, { location: file.redirectTo }).end();
    if (file.authorization !== undefined && request.headers.authorization !== file.authorization) {
      return void response.writeHead(401, { "www-authenticate": "Basic" }).end();
    }
    if (file.status !== undefined && (file.statusTimes ?? 1) > 0) {
      if (file.statusTimes !== undefined) file.statusTimes--;
      return void response.writeHead(file.status, file.retryAfter === undefined ? {} : { "retry-after": file.retryAfter }).end();
    }
    if (isUnchanged(file, request)) return void response.writeHead(304, validatorsOf(file)).end();
    await this.#sendBody(path, file, request, response);
  }

  async #sendBody(path: string, file: OriginFile, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { content } = file;
    const range = this.#readRange(file, request);
    const headers: Record<string, string> = validatorsOf(file);
    if (file.contentEncoding !== undefined) headers["content-encoding"] = file.contentEncoding;
    if (file.disposition !== undefined) headers["content-disposition"] = file.disposition;
    if (range === "unsatisfiable") return void response.writeHead(416, { ...headers, "content-range": `bytes */${content.length}` }).end();
    const [first, last] = range ?? [0, content.length - 1];
    const total = file.claimLength ?? content.length;
    const length = range === undefined ? total : last - first + 1;
    if (!file.chunked && !file.endlessRange) headers["content-length"] = String(length);
    if (!file.noRanges) headers["accept-ranges"] = "bytes";
    if (range !== undefined) headers["content-range"] = `bytes ${first + (file.wrongRange ? 1 : 0)}-${last}/${total}`;
    response.writeHead(range === undefined ? 200 : 206, headers);
    if (request.method === "HEAD") return void response.end();
    await this.#stream(path, file, { first, end: file.endlessRange ? content.length : last + 1 }, response);
  }

  #readRange(file: OriginFile, request: IncomingMessage): [number, number] | "unsatisfiable" | undefined {
    const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const ifRange = request.headers["if-range"];
    if (match === null || file.noRanges || file.chunked) return undefined;
    if (ifRange !== undefined && ifRange !== file.etag && ifRange !== file.lastModified) return undefined;
    const first = Number(match[1]);
    const total = file.claimLength ?? file.content.length;
    if (first >= total) return "unsatisfiable";
    return [first, match[2] === "" ? total - 1 : Math.min(Number(match[2]), total - 1)];
  }

  async #stream(path: string, file: OriginFile, part: { first: number; end: number }, response: ServerResponse): Promise<void> {
    let sent = 0;
    const slowly = file.answerBytesPerSecond !== undefined && (file.slowTimes ?? 1) > 0 ? file.answerBytesPerSecond : undefined;
    if (slowly !== undefined && file.slowTimes !== undefined) file.slowTimes--;
    for (let at = part.first; at < Math.min(part.end, file.content.length); ) {
      const most = Math.min(part.end, file.content.length) - at;
      const untilBreak = (file.breakTimes ?? 1) > 0 ? (file.breakAfterBytes ?? Number.POSITIVE_INFINITY) - sent : Number.POSITIVE_INFINITY;
      const untilStall = (file.stallTimes ?? 1) > 0 ? (file.stallAfterBytes ?? Number.POSITIVE_INFINITY) - sent : Number.POSITIVE_INFINITY;
      const count = Math.min(CHUNK_BYTES, most, untilBreak, untilStall, Math.ceil((slowly ?? Number.POSITIVE_INFINITY) / 20));
      if (untilStall <= 0) {
        if (file.stallTimes !== undefined) file.stallTimes--;
        return;
      }
      if (untilBreak <= 0) {
        if (file.breakTimes !== undefined) file.breakTimes--;
        return void response.destroy();
      }
      await this.#pace(count);
      if (slowly !== undefined) await sleep((count / slowly) * 1000);
      if (response.destroyed) return;
      this.sent.set(path, (this.sent.get(path) ?? 0) + count);
      if (!response.write(file.content.subarray(at, at + count))) await drained(response);
      at += count;
      sent += count;
    }
    response.end();
  }

  async #pace(bytes: number): Promise<void> {
    if (this.bytesPerSecond === 0) return;
    const now = performance.now();
    this.#freeAtMs = Math.max(this.#freeAtMs, now - 20) + (bytes / this.bytesPerSecond) * 1000;
    if (this.#freeAtMs > now + 1) await sleep(this.#freeAtMs - now);
  }
}

function validatorsOf(file: OriginFile): Record<string, string> {
  const headers = { etag: file.etag, "last-modified": file.lastModified, "cache-control": file.cacheControl };
  return Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** RFC 9110 13.2.2: a date counts only where there is no ETag to compare. */
function isUnchanged(file: OriginFile, request: IncomingMessage): boolean {
  const { "if-none-match": tags, "if-modified-since": since } = request.headers;
  if (file.noConditions) return false;
  if (tags !== undefined) return file.etag !== undefined && tags.split(/,\s*/).includes(file.etag);
  return since !== undefined && file.lastModified !== undefined && Date.parse(file.lastModified) <= Date.parse(since);
}

/** Resolves when the response takes more, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

/** Bytes that look random and are the same for the same seed. */
export function seededBytes(seed: number, lengthBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(lengthBytes);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let at = 0; at + 4 <= lengthBytes; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes.writeInt32LE(state | 0, at);
  }
  for (let at = lengthBytes - (lengthBytes % 4); at < lengthBytes; at++) bytes[at] = at & 0xff;
  return bytes;
}

if (import.meta.main) {
  const option = (name: string, fallback: string): string => {
    const at = process.argv.indexOf(`--${name}`);
    return at < 0 ? fallback : process.argv[at + 1];
  };
  const origin = await ScriptedOrigin.start({ bytesPerSecond: parseBytes(option("rate", "0")), host: option("host", "127.0.0.1") });
  const { url, sha256 } = origin.add("/file.bin", seededBytes(1, parseBytes(option("length", "64MiB"))));
  process.stdout.write(`${JSON.stringify({ ready: "origin", url, sha256 })}\n`);
  process.on("SIGTERM", () => {
    process.stdout.write(`${JSON.stringify({ bytesSent: origin.bytesSent, requests: origin.requests.length })}\n`);
    process.exit(0);
  });
}
