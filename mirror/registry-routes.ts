/**
 * Requests with a path: which registry, which handler. Drives the handlers; what is no pull passes through untouched.
 */

import { SkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import type { BlobHandler } from "./blob-handler.ts";
import type { Exchange } from "./exchange.ts";
import type { ManifestHandler } from "./manifest-handler.ts";
import type { MirrorConfig } from "./mirror-config.ts";
import { passThrough } from "./pass-through.ts";
import { PushPreheat } from "./push-preheat.ts";
import { type Route, type RouteTable, routeRequest } from "./route-request.ts";
import type { Upstream, Upstreams } from "./upstream.ts";

export interface RegistryRoutesOptions {
  readonly config: MirrorConfig;
  readonly upstreams: Upstreams;
  readonly manifests: ManifestHandler;
  readonly blobs: BlobHandler;
  readonly preheatPushes: boolean;
  readonly logger: Logger;
}

const API_HEADERS = { "docker-distribution-api-version": "registry/2.0", "content-type": "application/json" };
const PING_LIMIT_MS = 10_000;

export class RegistryRoutes implements AsyncDisposable {
  readonly #options: RegistryRoutesOptions;
  readonly #table: RouteTable;
  readonly #preheat: PushPreheat;

  constructor(options: RegistryRoutesOptions) {
    const { registries, defaultName, others } = options.config;
    this.#options = options;
    this.#table = { names: new Set(registries.keys()), defaultName, others };
    this.#preheat = new PushPreheat({ blobs: options.blobs, logger: options.logger });
  }

  /** Answers a request that came with a path. */
  async handle(exchange: Exchange, url: string): Promise<void> {
    const { method, request } = exchange;
    const route = routeRequest({ method, url, host: request.headers.host }, this.#table);
    if (route.kind === "refused") throw new SkimmerError("bad_request", route.why);
    const upstream = this.#options.upstreams.get(route.registry);
    await this.answer(exchange, upstream, { ...route, ...rewritten(route, upstream) });
  }

  /** Answers a request whose registry is known. */
  async answer(exchange: Exchange, upstream: Upstream, route: Route): Promise<void> {
    const { repository, reference } = route;
    Object.assign(exchange.account, { registry: route.registry, repository: repository || undefined, reference: reference || undefined });
    if (route.kind === "blob") return this.#options.blobs.handle(exchange, { upstream, repository, digest: reference });
    if (route.kind === "manifest") return this.#options.manifests.handle(exchange, { upstream, repository, reference });
    const reads = exchange.method === "GET" || exchange.method === "HEAD";
    if (route.kind === "ping" && reads) return this.#ping(exchange, upstream);
    await this.#pass(exchange, upstream, route);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#preheat[Symbol.asyncDispose]();
  }

  /** The registry's own challenge, unless credentials of ours make it needless; `ok` while it is down, for what is known here. */
  async #ping(exchange: Exchange, upstream: Upstream): Promise<void> {
    if (upstream.lendsCredentials && exchange.authorization === undefined) return exchange.send(200, API_HEADERS, Buffer.from("{}"));
    const signal = AbortSignal.any([exchange.signal, AbortSignal.timeout(PING_LIMIT_MS)]);
    try {
      const url = `${upstream.base}/v2/`;
      await passThrough(exchange, { dispatcher: upstream.dispatcher, url, signal });
    } catch (thrown) {
      // a login must not look as if it had been checked
      if (exchange.signal.aborted || exchange.response.headersSent || exchange.authorization !== undefined) throw thrown;
      Object.assign(exchange.account, { cache: "stale", source: "store" });
      exchange.send(200, API_HEADERS, Buffer.from("{}"));
    }
  }

  async #pass(exchange: Exchange, upstream: Upstream, route: Route): Promise<void> {
    const isPush = exchange.method === "PUT" && /\/manifests\/[^/]+$/.test(route.path) && this.#options.preheatPushes;
    const pushed = isPush ? this.#preheat.begin() : undefined;
    const status = await passThrough(exchange, {
      dispatcher: upstream.dispatcher,
      url: upstream.base + route.path,
      signal: exchange.signal,
      fixHeaders: (headers) => fixAddresses(headers, upstream.base, route.prefix),
      onBody: pushed?.add,
    });
    if (pushed === undefined || status !== 201) return;
    pushed.end({ upstream, repository: route.repository, authorization: exchange.authorization });
  }
}

function rewritten(route: Route, upstream: Upstream): Pick<Route, "repository" | "path"> {
  const { repository, path } = route;
  const renamed = repository === "" ? "" : upstream.rewrite(repository);
  return { repository: renamed, path: renamed === repository ? path : path.replace(`/v2/${repository}/`, `/v2/${renamed}/`) };
}

/** Upload locations and links to next pages that name the registry lead back through the mirror. */
function fixAddresses(headers: Record<string, unknown>, base: string, prefix: string): void {
  const inFront = prefix === "" ? "" : `${prefix}/`;
  const { location, link } = headers;
  if (typeof location === "string") {
    const path = location.startsWith(`${base}/`) ? location.slice(base.length) : location;
    if (path.startsWith("/v2/")) headers.location = `/v2/${inFront}${path.slice("/v2/".length)}`;
  }
  if (typeof link === "string" && inFront !== "") headers.link = link.replace("</v2/", `</v2/${inFront}`);
}
