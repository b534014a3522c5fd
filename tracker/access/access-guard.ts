/**
 * The koa middlewares in front of the API: limits, who calls, whether he may, and the audit log. Drives.
 *
 * Announces never come here: the tracker is open to standard clients, and private swarms have passkeys.
 */
import type { IncomingMessage } from "node:http";
import type Koa from "koa";
import { plainAddress } from "../../system/addresses.ts";
import type { Clock } from "../../system/clock.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { AuditLog } from "./audit-log.ts";
import { type AccessMode, type Credentials, checkSameSite, checkScopes, identify, isLoopback } from "./identify.ts";
import { limitKey, RequestLimits } from "./request-limits.ts";
import { type Identity, identityOf, scopesFor } from "./scopes.ts";
import { tokenOf } from "./token-list.ts";
import type { TokenStore } from "./token-store.ts";

const MOST_NOTED_PATH = 300;
/** Refusals noted a second, so that nobody washes the log out with them. */
const NOTED_REFUSALS = 1;
/** Every download makes these: they change nothing for others. */
const NOT_NOTED = /^\/api\/v1\/(tasks|reports|host-reports|connect-back)\/?$/i;

export interface AccessGuardOptions {
  readonly mode: AccessMode;
  readonly tokens: TokenStore;
  readonly ownNames: readonly string[];
  readonly limits: RequestLimits;
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** Registries' webhooks bring a secret of their own, which their route checks. */
  readonly webhookSecret: boolean;
}

export class AccessGuard {
  readonly #options: AccessGuardOptions;
  readonly #refusals = new RequestLimits(NOTED_REFUSALS);

  constructor(options: AccessGuardOptions) {
    this.#options = options;
  }

  /** Throws SkimmerError `rate_limited`, `unauthorized` or `forbidden`; else `identityOf()` says who calls. */
  get middleware(): Koa.Middleware {
    return async (context, next) => {
      const from = credentialsOf(context.req);
      this.#limit(limitKey(from.address), from, context);
      const identity = await this.identify(context.req);
      context.state.identity = identity;
      if (identity.hasToken) this.#limit(`token ${identity.name} ${limitKey(from.address)}`, from, context);
      this.#check(identity, from, context);
      return next();
    };
  }

  /** Notes what was changed, and what was refused; outside everything that makes an error an answer. */
  get auditor(): Koa.Middleware {
    return async (context, next) => {
      await next();
      const { method, path, status } = context;
      if (method === "GET" || method === "HEAD" || status === 404 || status === 429) return;
      if (NOT_NOTED.test(path) && status !== 401) return;
      const identity = identityOf(context);
      // before he was identified he was limited, and that is not noted
      this.#note(identity, `${method} ${path.slice(0, MOST_NOTED_PATH)}`, status);
    };
  }

  async identify(request: IncomingMessage): Promise<Identity> {
    const { mode, ownNames, tokens } = this.#options;
    return identify(credentialsOf(request), { mode, ownNames, tokens: await tokens.entries() }, Date.now());
  }

  /** Whether the seeder that opens this link may; noted where not. */
  async admitsSeeder(request: IncomingMessage): Promise<boolean> {
    const identity = await this.identify(request);
    try {
      // browsers let every page open WebSockets anywhere, and say whose page it is; seeders say nothing
      if (request.headers.origin !== undefined) throw new SkimmerError("forbidden", "a seeder is no web page");
      checkScopes(identity, ["admin"], credentialsOf(request));
      return true;
    } catch {
      this.#note(identity, "seeder link", 401);
      return false;
    }
  }

  #note({ name: who, address }: Identity, what: string, outcome: number): void {
    const { audit, clock } = this.#options;
    if ((outcome === 401 || outcome === 403) && this.#refusals.take("", clock.nowMs()) > 0) return;
    audit.note({ at: new Date().toISOString(), who, address, what, outcome });
  }

  #check(identity: Identity, from: Credentials, context: Koa.Context): void {
    const { method, path } = context;
    const isWebhook = this.#options.webhookSecret && /^\/api\/v1\/webhooks\//i.test(path);
    try {
      checkSameSite(method, from);
      if (!isWebhook) checkScopes(identity, scopesFor(method, path), from);
    } catch (error) {
      if ((error as SkimmerError).code === "unauthorized")
        context.set("www-authenticate", ['Bearer realm="skimmer"', 'Basic realm="skimmer: the token as password", charset="UTF-8"']);
      throw error;
    }
  }

  /** This machine's own callers have no limit, as with announces; unless they bring a token, which may be anybody's through a proxy. */
  #limit(key: string, from: Credentials, context: Koa.Context): void {
    const { limits, clock } = this.#options;
    if (isLoopback(from.address) && !from.forwarded && tokenOf(from.authorization) === undefined) return;
    const waitMs = limits.take(key, clock.nowMs());
    if (waitMs === 0) return;
    context.set("retry-after", String(Math.ceil(waitMs / 1000)));
    throw new SkimmerError("rate_limited", `too many requests from ${from.address}`, {
      retriable: true,
      hint: "Wait for Retry-After; the supernode's --request-limit says how many are allowed.",
    });
  }
}

function credentialsOf({ socket, headers }: IncomingMessage): Credentials {
  return {
    address: plainAddress(socket.remoteAddress ?? ""),
    authorization: headers.authorization,
    host: headers.host,
    origin: headers.origin,
    fetchSite: headers["sec-fetch-site"] as string | undefined,
    forwarded: ["forwarded", "x-forwarded-for", "x-real-ip", "via"].some((name) => headers[name] !== undefined),
  };
}
