/**
 * The registries behind the mirror, each with its connections and, where the configuration has credentials for it, a client
 * that answers its challenges. Drives HTTP.
 * Invariant: a caller's own Authorization goes to the registry that he asked for and nowhere else; ours only where he has none.
 */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Dispatcher } from "undici";
import { RegistryClient } from "../registry/registry-client.ts";
import { openRegistryConnections, type RegistryResponse, type RegistryTls, sendToRegistry } from "../registry/registry-http.ts";
import { TokenCache } from "../registry/token-cache.ts";
import type { Clock } from "../system/clock.ts";
import { SkimmerError } from "../system/errors.ts";
import { parseOriginTls } from "../torrents/origin-tls.ts";
import type { OriginTls } from "../torrents/task-api.ts";
import { type MirrorConfig, plainRegistry, type RegistryConfig, rewriteRepository } from "./mirror-config.ts";

/** Unconfigured registries whose clients are kept; the one that was asked longest ago goes. */
const MOST_OTHERS = 256;

export interface UpstreamCall {
  readonly method?: "GET" | "HEAD";
  readonly path: string;
  readonly repository: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The caller's, as he sent it. */
  readonly authorization: string | undefined;
  readonly follow?: boolean;
  readonly signal: AbortSignal;
}

/** One registry as the mirror asks it. */
export class Upstream {
  readonly config: RegistryConfig;
  readonly dispatcher: Dispatcher;
  /** Whom others (seeders) are to trust who read here for this host; undefined: whom they trust anyway. */
  readonly tls: OriginTls | undefined;
  readonly #client: RegistryClient | undefined;

  constructor(config: RegistryConfig, parts: { dispatcher: Dispatcher; tls?: OriginTls; tokens: TokenCache; clock: Clock }) {
    this.config = config;
    this.dispatcher = parts.dispatcher;
    this.tls = parts.tls;
    if (config.credentials !== undefined)
      this.#client = new RegistryClient({ base: config.base, credentials: config.credentials, ...parts });
  }

  get base(): string {
    return this.config.base;
  }

  /** True where callers without credentials get what ours allow. */
  get lendsCredentials(): boolean {
    return this.#client !== undefined;
  }

  rewrite(repository: string): string {
    return rewriteRepository(repository, this.config.rewrites);
  }

  /** Asks the registry; the status is the caller's to judge. Rejects with SkimmerError origin_*, or the signal's reason. */
  send(call: UpstreamCall): Promise<RegistryResponse> {
    const { authorization, path, method = "GET", follow, signal } = call;
    if (authorization === undefined && this.#client !== undefined) return this.#client.send(call);
    const headers = { "user-agent": "skimmer", ...call.headers, ...(authorization === undefined ? {} : { authorization }) };
    return sendToRegistry(this.dispatcher, { method, url: this.base + path, headers, follow, signal });
  }

  /** The Authorization with which a seeder may read the blob: the caller's, else ours; undefined: none is needed or there is none. */
  async authorizeBlob(blob: {
    repository: string;
    digest: string;
    authorization: string | undefined;
    signal: AbortSignal;
  }): Promise<string | undefined> {
    if (blob.authorization !== undefined || this.#client === undefined) return blob.authorization;
    return this.#client.authorizeBlob(blob);
  }
}

export class Upstreams implements AsyncDisposable {
  readonly #config: MirrorConfig;
  readonly #tls: RegistryTls;
  readonly #clock: Clock;
  readonly #tokens: TokenCache;
  readonly #common: Dispatcher;
  readonly #own: Dispatcher[] = [];
  readonly #configured = new Map<string, Upstream>();
  readonly #others = new Map<string, Upstream>();

  /** Throws SkimmerError `bad_request` for an unreadable authority file. */
  constructor(options: { config: MirrorConfig; tls: RegistryTls; clock: Clock }) {
    this.#config = options.config;
    this.#tls = options.tls;
    this.#clock = options.clock;
    this.#tokens = new TokenCache({ clock: options.clock });
    this.#common = openRegistryConnections(options.tls);
    for (const registry of options.config.registries.values()) this.#configured.set(registry.name, this.#make(registry));
  }

  /** For requests that go to no registry of ours (proxy). */
  get dispatcher(): Dispatcher {
    return this.#common;
  }

  /** Throws SkimmerError `bad_request` where it is not configured and others are not allowed. */
  get(name: string): Upstream {
    const known = this.#configured.get(name);
    if (known !== undefined) return known;
    if (!this.#config.others) throw new SkimmerError("bad_request", `the registry ${name} is not configured here`);
    const other = this.#others.get(name) ?? this.#make(plainRegistry(name));
    this.#others.delete(name);
    this.#others.set(name, other);
    if (this.#others.size > MOST_OTHERS) this.#others.delete(this.#others.keys().next().value as string);
    return other;
  }

  /** The registry with this API address, as it is configured, else as it comes. */
  byBase(base: string): Upstream {
    for (const upstream of this.#configured.values()) if (upstream.base === base) return upstream;
    const { host } = new URL(base);
    return this.#make({ ...plainRegistry(host), base });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#common, ...this.#own].map((dispatcher) => dispatcher.destroy()));
  }

  #make(config: RegistryConfig): Upstream {
    return new Upstream(config, { ...this.#trustFor(config), tokens: this.#tokens, clock: this.#clock });
  }

  #trustFor({ caFile, insecure, base }: RegistryConfig): { dispatcher: Dispatcher; tls?: OriginTls } {
    if (caFile === undefined && !insecure) return { dispatcher: this.#common };
    const dispatcher = openRegistryConnections({ caFile: caFile ?? this.#tls.caFile, insecure: insecure || this.#tls.insecure });
    this.#own.push(dispatcher);
    return base.startsWith("https:") ? { dispatcher, tls: trustOf({ caFile, insecure }) } : { dispatcher };
  }
}

function trustOf({ caFile, insecure }: Pick<RegistryConfig, "caFile" | "insecure">): OriginTls | undefined {
  try {
    return parseOriginTls({ ca: caFile === undefined ? undefined : readFileSync(caFile, "utf8"), insecure });
  } catch (cause) {
    throw new SkimmerError("bad_request", `the authorities in ${caFile} cannot be sent to seeders: ${(cause as Error).message}`, {
      hint: "Give the certificates of this registry's authorities only.",
      cause,
    });
  }
}

/** Tells callers apart without holding their secret; empty for callers without credentials. */
export function callerKey(authorization: string | undefined): string {
  return authorization === undefined ? "" : hash("sha256", authorization, "hex");
}
