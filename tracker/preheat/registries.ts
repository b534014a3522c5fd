/**
 * Opens clients of registries for preheats: shared connections and tokens, credentials of the caller or of the supernode.
 */
import type { Dispatcher } from "undici";
import { type Credentials, parseBasic } from "../../registry/credentials.ts";
import type { CredentialStore } from "../../registry/docker-config.ts";
import { RegistryClient } from "../../registry/registry-client.ts";
import { openRegistryConnections, type RegistryTls } from "../../registry/registry-http.ts";
import { TokenCache } from "../../registry/token-cache.ts";
import type { Clock } from "../../system/clock.ts";
import type { Reach } from "../../system/reach.ts";

/** Sent with every request of an image preheat, except what speaks for a single request. */
const NOT_OURS = new Set(["authorization", "accept", "range", "if-range", "if-none-match", "if-modified-since", "host"]);

export interface RegistryAccess {
  readonly base: string;
  /** Of the caller. A Basic authorization is taken for name and password, since the registry may want a token for them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials | undefined;
  /** Those of the supernode may be used, where the caller has none. */
  readonly own: boolean;
  /** Asked for by a caller on this machine. */
  readonly loopback: boolean;
}

export class Registries implements AsyncDisposable {
  readonly #dispatcher: Dispatcher;
  /** For callers on this machine. */
  readonly #local: Dispatcher;
  readonly #tokens: TokenCache;
  readonly #clock: Clock;
  readonly #store: CredentialStore;

  /** `store`: the supernode's own credentials. */
  constructor(options: { store: CredentialStore; tls: RegistryTls; reach: Reach | undefined; clock: Clock }) {
    const { tls, reach } = options;
    this.#dispatcher = openRegistryConnections({ ...tls, guard: reach && { reach, loopback: false } });
    this.#local = openRegistryConnections({ ...tls, guard: reach && { reach, loopback: true } });
    this.#store = options.store;
    this.#clock = options.clock;
    this.#tokens = new TokenCache({ clock: options.clock });
  }

  open({ base, headers, credentials, own, loopback }: RegistryAccess): RegistryClient {
    const { authorization } = headers;
    const basic = authorization === undefined ? undefined : parseBasic(authorization);
    const fixed = basic === undefined && credentials === undefined ? authorization : undefined;
    const others = Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_OURS.has(name)));
    return new RegistryClient({
      base,
      headers: others,
      authorization: fixed,
      credentials: credentials ?? basic ?? (own ? this.#store.get(base) : undefined),
      tokens: this.#tokens,
      dispatcher: loopback ? this.#local : this.#dispatcher,
      clock: this.#clock,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#dispatcher.destroy(), this.#local.destroy()]);
  }
}
