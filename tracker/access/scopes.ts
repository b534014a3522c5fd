/**
 * Who calls the API, and what he may do there. Decides.
 *
 * Four scopes: `read` looks (tasks, hosts, metrics), `download` has URLs fetched and joins swarms, `preheat` fetches ahead, `admin` changes and
 * includes the others. Invariant: a path that no rule names needs `read` to look and `admin` to do anything else.
 */
import type Koa from "koa";

export const SCOPES = ["read", "download", "preheat", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

export interface Identity {
  /** Of the token; `local` or `anyone` where there is none. */
  readonly name: string;
  /** Remote address. */
  readonly address: string;
  readonly scopes: readonly Scope[];
  /** A valid token was brought: not only called from a place that is trusted. */
  readonly hasToken: boolean;
  /** He is on the supernode's own machine: its loopback is his. */
  readonly onThisMachine: boolean;
}

const NOBODY: Identity = { name: "nobody", address: "", scopes: [], hasToken: false, onThisMachine: false };

/** Who sends this request; the access guard has put him there. */
export function identityOf(context: Koa.Context): Identity {
  return (context.state.identity as Identity | undefined) ?? NOBODY;
}

export function hasScope(identity: Identity, scope: Scope): boolean {
  return identity.scopes.includes(scope) || identity.scopes.includes("admin");
}

/** Whether names and URLs of private tasks are shown to him: with a token to read only, on no machine without one. */
export function mayReadPrivateNames(identity: Identity): boolean {
  return identity.hasToken && hasScope(identity, "read");
}

interface Rule {
  readonly method: string;
  readonly path: RegExp;
  /** Any one of them will do; none: open to everybody. */
  readonly scopes: readonly Scope[];
}

const LOOK: readonly Scope[] = ["read"];
const RULES: readonly Rule[] = [
  { method: "GET", path: /^\/(healthz|_ping|healthy|api\/v1\/openapi\.json)$/, scopes: [] },
  { method: "POST", path: /^\/api\/v1\/(tasks|reports|host-reports|connect-back)$/, scopes: ["download"] },
  { method: "GET", path: /^\/api\/v1\/tasks\/[^/]+\/(torrent|magnet)$/, scopes: ["read", "download"] },
  { method: "GET", path: /^\/(api\/v1\/preheats|preheats|oapi\/v1\/jobs)(\/|$)/, scopes: ["read", "preheat"] },
  { method: "POST", path: /^\/(api\/v1\/preheats|preheats|oapi\/v1\/jobs|api\/v1\/webhooks\/[a-z]+)$/, scopes: ["preheat"] },
  { method: "DELETE", path: /^\/(api\/v1\/preheats|preheats)\/[^/]+$/, scopes: ["preheat"] },
  { method: "GET", path: /^\/api\/v1\/audit$/, scopes: ["admin"] },
];

/** The scopes of which a request needs one; none: it is open to everybody. The router takes paths in any case, with a slash at the end too. */
export function scopesFor(method: string, path: string): readonly Scope[] {
  const asked = method === "HEAD" ? "GET" : method;
  const plain = path.toLowerCase().replace(/(?<=.)\/+$/, "");
  const rule = RULES.find((each) => each.method === asked && each.path.test(plain));
  return rule?.scopes ?? (asked === "GET" ? LOOK : ["admin"]);
}
