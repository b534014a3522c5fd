/**
 * The mirror put together: registries, manifests, blobs, proxy, one listener. Drives its start and its end.
 * One address serves both: paths are the mirror's, whole URLs and CONNECT the proxy's.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { RegistryTls } from "../registry/registry-http.ts";
import { formatHostPort, reachableHost } from "../system/addresses.ts";
import { type Clock, realClock } from "../system/clock.ts";
import { SkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import { Acceptances } from "./acceptances.ts";
import { BlobHandler, type ContentSource } from "./blob-handler.ts";
import { BlobSessions } from "./blob-sessions.ts";
import { Exchange } from "./exchange.ts";
import { KnownImages } from "./known-images.ts";
import { ManifestHandler } from "./manifest-handler.ts";
import { ManifestStore } from "./manifest-store.ts";
import type { MirrorSettings } from "./mirror-options.ts";
import { authorityPaths } from "./proxy/authority-paths.ts";
import { CertificateAuthority } from "./proxy/certificate-authority.ts";
import { ProxyHandler } from "./proxy/proxy-handler.ts";
import { RegistryRoutes } from "./registry-routes.ts";
import { CHECK_PATH, SelfCheck } from "./self-check.ts";
import { Upstreams } from "./upstream.ts";

export interface MirrorOptions {
  readonly settings: MirrorSettings;
  readonly source: ContentSource;
  /** Home folder of the daemon. */
  readonly home: string;
  /** Certificates of registries that no configuration tells of. */
  readonly tls: RegistryTls;
  readonly logger: Logger;
  /** How long a caller may take nothing and send nothing; absent: a quarter of an hour. */
  readonly stallLimitMs?: number;
}

const HEADERS_LIMIT_MS = 30_000;
const IDLE_LIMIT_MS = 120_000;
/** Longer than any registry takes to answer a push. */
const STALL_LIMIT_MS = 15 * 60_000;
const MOST_CONNECTIONS = 4096;

export class Mirror implements AsyncDisposable {
  readonly #options: MirrorOptions;
  readonly #server: Server;
  readonly #routes: RegistryRoutes;
  readonly #proxy: ProxyHandler;
  readonly #open: AsyncDisposableStack;
  readonly #clock: Clock = realClock;
  #selfCheck: SelfCheck | undefined;

  private constructor(
    options: MirrorOptions,
    open: { stack: AsyncDisposableStack; routes: RegistryRoutes; upstreams: Upstreams; authority: CertificateAuthority | undefined },
  ) {
    const { settings, source, logger } = options;
    this.#options = options;
    this.#routes = open.routes;
    this.#open = open.stack;
    const serve = (request: IncomingMessage, response: ServerResponse): void => void this.#serve(request, response);
    this.#proxy = open.stack.use(new ProxyHandler({ ...open, config: settings.config.proxy, source, serve, logger }));
    this.#server = createServer(
      // a push may take as long as it takes
      { headersTimeout: HEADERS_LIMIT_MS, requestTimeout: 0, keepAliveTimeout: IDLE_LIMIT_MS, noDelay: true },
      serve,
    );
    this.#server.on("connect", (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#proxy.connect(request, socket, head));
    this.#server.timeout = options.stallLimitMs ?? STALL_LIMIT_MS;
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  /** Starts and listens. Rejects with SkimmerError `address_in_use`, `bad_request`. */
  static async start(options: MirrorOptions): Promise<Mirror> {
    const { settings, source, logger, home, tls } = options;
    const { config, graceMs } = settings;
    await using stack = new AsyncDisposableStack();
    const store = await ManifestStore.open(join(home, "mirror", "manifests"));
    const upstreams = stack.use(new Upstreams({ config, tls, clock: realClock }));
    const acceptances = new Acceptances();
    const images = new KnownImages();
    const manifests = new ManifestHandler({ store, images, acceptances, clock: realClock, epochMs: () => Date.now(), graceMs });
    const sessions = stack.use(new BlobSessions({ clock: realClock, logger, lingerMs: settings.lingerMs }));
    const isOpen = manifests.isOpen.bind(manifests);
    const blobs = new BlobHandler({ source, sessions, acceptances, images, clock: realClock, logger, graceMs, isOpen });
    const routes = new RegistryRoutes({ config, upstreams, manifests, blobs, preheatPushes: settings.preheatPushes, logger });
    stack.use(routes);
    const paths = authorityPaths(home);
    const authority = config.proxy.intercept.length === 0 ? undefined : await CertificateAuthority.open(paths, () => Date.now());
    const mirror = new Mirror(options, { stack: stack.move(), routes, upstreams, authority });
    await mirror.#listen();
    return mirror;
  }

  /** As somebody on this machine reaches it. */
  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${formatHostPort({ host: reachableHost(address), port })}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, "close") : undefined;
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    await this.#open.disposeAsync();
  }

  async #listen(): Promise<void> {
    const { listen } = this.#options.settings;
    try {
      this.#server.listen(listen.port, listen.host);
      await once(this.#server, "listening");
    } catch (cause) {
      await this[Symbol.asyncDispose]();
      throw new SkimmerError("address_in_use", `cannot listen on ${formatHostPort(listen)} for the mirror: ${(cause as Error).message}`, {
        hint: "Choose another address with --mirror-listen.",
        cause,
      });
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { logger } = this.#options;
    const startedMs = this.#clock.nowMs();
    const exchange = new Exchange(request, response);
    response.once("close", () => exchange.log(logger, startedMs, this.#clock.nowMs()));
    try {
      const url = this.#proxy.urlOf(request);
      const own = url !== undefined && this.#isOwn(url);
      if (url === undefined && request.url?.split("?", 1)[0] === CHECK_PATH) await this.#check(exchange);
      else if (url === undefined || own) await this.#routes.handle(exchange, own ? pathOf(url) : (request.url ?? "/"));
      else await this.#proxy.handle(exchange, url);
    } catch (thrown) {
      if (!exchange.signal.aborted) exchange.fail(thrown);
    }
  }

  async #check(exchange: Exchange): Promise<void> {
    const { defaultName } = this.#options.settings.config;
    this.#selfCheck ??= new SelfCheck({ url: this.url, defaultName });
    const image = new URL(exchange.request.url ?? "", this.url).searchParams.get("image") ?? undefined;
    const answer = await this.#selfCheck.run(image);
    exchange.send(200, { "content-type": "application/json" }, Buffer.from(JSON.stringify(answer)));
  }

  /** A caller with the proxy set for everything asks the mirror through it. */
  #isOwn(url: string): boolean {
    return URL.parse(url)?.host === new URL(this.url).host;
  }
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
