/**
 * One request to the mirror and its answer, with what the access log tells of it at the end. Drives the response.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { SkimmerError, toSkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import { shownUrl } from "../torrents/shown-url.ts";
import { type CacheState, provenanceHeaders, type Source } from "./mirror-headers.ts";

/** What the access log says besides the request itself; filled in on the way. */
export interface Account {
  registry?: string;
  repository?: string;
  reference?: string;
  cache?: CacheState;
  source?: Source;
  task?: string | null;
  /** Bytes by where they came from, at the end. */
  from?: object;
  /** Why it went straight to the registry, or ended early. */
  reason?: string;
}

const API_HEADERS = { "docker-distribution-api-version": "registry/2.0" };

export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly account: Account = {};
  readonly #gone = new AbortController();
  /** Taken at once: a request that is over may have lost its socket. */
  readonly #client: string | undefined;
  #sentBytes = 0;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
    this.#client = request.socket.remoteAddress;
    response.once("close", () => this.#gone.abort(new SkimmerError("cancelled", "the caller went away")));
    response.on("error", () => undefined);
  }

  get method(): string {
    return this.request.method ?? "GET";
  }

  /** Aborts when the caller is gone, or was answered. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  get authorization(): string | undefined {
    return this.request.headers.authorization;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  /** Begins the answer; the account's cache state goes along. */
  begin(status: number, headers: OutgoingHttpHeaders): void {
    this.response.writeHead(status, { ...this.provenance(), ...headers });
  }

  /** How the answer comes to be, as far as it is known. */
  provenance(): OutgoingHttpHeaders {
    const { cache, source, task } = this.account;
    return cache === undefined || source === undefined ? {} : provenanceHeaders({ cache, source, task });
  }

  /** Answers with a body that is in memory; HEAD gets its headers only. */
  send(status: number, headers: OutgoingHttpHeaders, body: Buffer = Buffer.alloc(0)): void {
    this.begin(status, { "content-length": body.length, ...headers });
    if (this.method === "HEAD") return void this.response.end();
    this.#sentBytes += body.length;
    this.response.end(body);
  }

  /** An answer that has no body by its nature. */
  sendNothing(status: number, headers: OutgoingHttpHeaders): void {
    this.begin(status, headers);
    this.response.end();
  }

  /** Next bytes of the body; resolves when they are sent and may be overwritten. Rejects with `cancelled` when the caller is gone. */
  async write(bytes: Buffer): Promise<void> {
    const { response } = this;
    this.signal.throwIfAborted();
    this.#sentBytes += bytes.length;
    const { promise, resolve } = Promise.withResolvers<void>();
    // the callback may never come once the connection is gone
    response.once("close", resolve);
    response.write(bytes, () => resolve());
    await promise;
    response.off("close", resolve);
    this.signal.throwIfAborted();
  }

  /** Errors as the distribution specification has them. */
  fail(thrown: unknown): void {
    const error = toSkimmerError(thrown);
    this.account.reason ??= error.message;
    if (this.response.headersSent) return void this.response.destroy();
    const status = STATUS_OF[error.code] ?? 502;
    const hint = error.hint === undefined ? "" : ` ${error.hint}`;
    const errors = [{ code: status === 400 ? "UNSUPPORTED" : "UNAVAILABLE", message: `skimmer: ${error.message}.${hint}` }];
    this.send(status, { ...API_HEADERS, "content-type": "application/json" }, Buffer.from(JSON.stringify({ errors })));
  }

  /** One line when it is over. */
  log(logger: Logger, startedMs: number, nowMs: number): void {
    const { statusCode, writableFinished } = this.response;
    const shown = this.request.url?.startsWith("/") ? this.request.url.split("?", 1)[0] : shownUrl(this.request.url ?? "");
    const fields = {
      client: this.#client,
      method: this.method,
      path: shown.slice(0, MOST_PATH),
      status: statusCode,
      bytes: this.#sentBytes,
      seconds: Math.round(nowMs - startedMs) / 1000,
      complete: writableFinished,
      ...this.account,
    };
    logger.info(fields, "mirror access");
  }

  /** Counts bytes that a pipeline sent. */
  count(bytes: number): void {
    this.#sentBytes += bytes;
  }
}

const MOST_PATH = 1000;
const STATUS_OF: Readonly<Record<string, number>> = { bad_request: 400, timeout: 504, internal: 500, busy: 503 };
