/**
 * HTTP proxy: whole URLs by the rules (swarm, direct, refuse), CONNECT as a tunnel, or opened where the configuration says so and
 * there is an authority. Drives sockets. Invariant: with a login configured nothing happens before it was brought.
 */

import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type SecureContext, TLSSocket } from "node:tls";
import { parseBlobUrl, parseManifestUrl } from "../../registry/image-reference.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import type { ContentSource } from "../blob-handler.ts";
import type { Exchange } from "../exchange.ts";
import { passThrough } from "../pass-through.ts";
import type { RegistryRoutes } from "../registry-routes.ts";
import { type Route, registryName, routeApiPath } from "../route-request.ts";
import type { Upstreams } from "../upstream.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { decideProxy, isIntercepted, type ProxyConfig } from "./proxy-rules.ts";
import { sendFromSwarm } from "./swarm-file.ts";

export interface ProxyHandlerOptions {
  readonly config: ProxyConfig;
  readonly upstreams: Upstreams;
  readonly routes: RegistryRoutes;
  readonly source: ContentSource;
  /** Needed only to open TLS. */
  readonly authority: CertificateAuthority | undefined;
  /** Serves requests out of opened tunnels. */
  readonly serve: (request: IncomingMessage, response: ServerResponse) => void;
  readonly logger: Logger;
}

const CONNECT_LIMIT_MS = 10_000;
const HANDSHAKE_LIMIT_MS = 10_000;
/** A tunnel, open or opened here, in which nothing moves. */
const IDLE_LIMIT_MS = 15 * 60_000;
const REFUSED = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const LOGIN_NEEDED =
  'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="skimmer"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';
const UNREACHABLE = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const ESTABLISHED = "HTTP/1.1 200 Connection established\r\n\r\n";

export class ProxyHandler implements Disposable {
  readonly #options: ProxyHandlerOptions;
  readonly #inner: Server;
  /** `https://host:port` of opened tunnels. */
  readonly #bases = new WeakMap<object, string>();
  readonly #sockets = new Set<Duplex>();

  constructor(options: ProxyHandlerOptions) {
    this.#options = options;
    this.#inner = createServer({ requestTimeout: 0 }, options.serve);
    this.#inner.timeout = IDLE_LIMIT_MS;
    this.#inner.on("clientError", (_error, socket) => socket.destroy());
  }

  /** The whole URL that a request is for; undefined: it is the mirror's. */
  urlOf(request: IncomingMessage): string | undefined {
    const base = this.#bases.get(request.socket);
    if (base !== undefined) return base + (request.url ?? "/");
    return /^https?:\/\//i.test(request.url ?? "") ? request.url : undefined;
  }

  /** Answers a request for a whole URL. */
  async handle(exchange: Exchange, url: string): Promise<void> {
    const { config, upstreams } = this.#options;
    const isInner = this.#bases.has(exchange.request.socket);
    if (!isInner && !this.#mayPass(exchange.request))
      return exchange.send(407, { "proxy-authenticate": 'Basic realm="skimmer"', connection: "close" });
    const decision = decideProxy(url, config.rules);
    if (!URL.canParse(decision.url)) throw new SkimmerError("bad_request", "the proxy cannot read the URL");
    if (decision.action.kind === "refuse") return exchange.send(403, {}, Buffer.from("refused by a rule of this proxy\n"));
    const target = new URL(decision.url);
    const isPush = exchange.method === "PUT" && /^\/v2\/.+\/manifests\/[^/]+$/.test(target.pathname);
    if (decision.action.kind === "swarm" && (await this.#fromSwarm(exchange, decision.url))) return;
    if (isPush) return this.#options.routes.answer(exchange, upstreams.byBase(target.origin), this.#routeOf(exchange, target));
    await passThrough(exchange, { dispatcher: upstreams.byBase(target.origin).dispatcher, url: decision.url, signal: exchange.signal });
  }

  /** CONNECT: a tunnel, or its end here. */
  connect(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#keep(socket);
    const target = (request.url ?? "").toLowerCase();
    const { config, authority, logger } = this.#options;
    const opened = URL.parse(`http://${target}`);
    const port = Number(/:(\d{1,5})$/.exec(target)?.[1]);
    if (!this.#mayPass(request)) return void socket.end(LOGIN_NEEDED);
    const refused =
      decideProxy(
        target,
        config.rules.filter(({ action }) => action.kind === "refuse"),
      ).action.kind === "refuse";
    if (opened === null || !(port > 0 && port < 65_536) || refused) return void socket.end(REFUSED);
    const host = opened.hostname.replace(/^\[|\]$/g, "");
    if (authority === undefined || !isIntercepted(target, config)) return this.#tunnel({ host, port, socket, head });
    this.#open({ host, port, socket, head }).catch((thrown: unknown) => {
      logger.warn({ host, error: (thrown as Error).message }, "a tunnel could not be opened");
      socket.destroy();
    });
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** False where the swarm is not the way. */
  async #fromSwarm(exchange: Exchange, url: string): Promise<boolean> {
    if (exchange.method !== "GET" && exchange.method !== "HEAD") return false;
    if (parseBlobUrl(url) !== undefined || parseManifestUrl(url) !== undefined) {
      const target = new URL(url);
      await this.#options.routes.answer(exchange, this.#options.upstreams.byBase(target.origin), this.#routeOf(exchange, target));
      return true;
    }
    return exchange.method === "GET" && (await sendFromSwarm(exchange, url, this.#options.source));
  }

  #routeOf(exchange: Exchange, { pathname, search, host }: URL): Route {
    return routeApiPath({ method: exchange.method, pathname, search, registry: registryName(host) });
  }

  #tunnel({ host, port, socket, head }: { host: string; port: number; socket: Duplex; head: Buffer }): void {
    const onward = connect({ host, port, timeout: CONNECT_LIMIT_MS });
    this.#keep(onward);
    let connected = false;
    onward.once("connect", () => {
      connected = true;
      onward.setTimeout(IDLE_LIMIT_MS);
      socket.write(ESTABLISHED);
      if (head.length > 0) onward.write(head);
      socket.pipe(onward);
      onward.pipe(socket);
    });
    onward.on("timeout", () => onward.destroy());
    onward.on("close", () => (connected || socket.destroyed ? socket.destroy() : void socket.end(UNREACHABLE)));
    socket.on("close", () => onward.destroy());
  }

  async #open({ host, port, socket, head }: { host: string; port: number; socket: Duplex; head: Buffer }): Promise<void> {
    const authority = this.#options.authority as CertificateAuthority;
    const secureContext: SecureContext = await authority.contextFor(host);
    socket.write(ESTABLISHED);
    if (head.length > 0) socket.unshift(head);
    const secure = new TLSSocket(socket as Socket, { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] });
    this.#keep(secure);
    const timer = setTimeout(() => secure.destroy(), HANDSHAKE_LIMIT_MS);
    secure.once("secure", () => clearTimeout(timer));
    secure.once("close", () => clearTimeout(timer));
    const name = host.includes(":") ? `[${host}]` : host;
    this.#bases.set(secure, new URL(`https://${name}:${port}`).origin);
    this.#inner.emit("connection", secure);
  }

  #mayPass(request: IncomingMessage): boolean {
    const { login } = this.#options.config;
    if (login === undefined) return true;
    const wanted = Buffer.from(`Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`);
    const given = Buffer.from(request.headers["proxy-authorization"] ?? "");
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  }
}
