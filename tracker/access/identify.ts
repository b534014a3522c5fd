/**
 * Who a caller is, by his token and by where he calls from, and whether he may. Decides.
 *
 * `local`, the default: callers on this machine need no token, all others do. `token`: everybody does. `open`: nobody does.
 * A caller on the loopback speaks for this machine only where he is no proxy that passes others' requests on, and no web page that somebody
 * here looks at: proxies say so in a header, and a page calls by a name that is not this machine's, or names its own origin. This machine's
 * other addresses are no proof: a seeder that is told to may fetch from them (system/reach.ts), from the loopback only for callers here.
 */
import { isIP } from "node:net";
import { SkimmerError } from "../../system/errors.ts";
import { hasScope, type Identity, type Scope } from "./scopes.ts";
import { findToken, type TokenEntry, tokenOf } from "./token-list.ts";

export const ACCESS_MODES = ["local", "token", "open"] as const;
export type AccessMode = (typeof ACCESS_MODES)[number];

/** A request, as far as it says who sends it. */
export interface Credentials {
  /** Remote address, IPv4 without IPv6 prefix. */
  readonly address: string;
  readonly authorization: string | undefined;
  /** The Host header. */
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`, as browsers send it. */
  readonly fetchSite: string | undefined;
  /** A proxy's header is there: Forwarded, X-Forwarded-For, X-Real-IP, Via. */
  readonly forwarded: boolean;
}

export interface AccessRules {
  readonly mode: AccessMode;
  readonly tokens: readonly TokenEntry[];
  /** Names by which callers on this machine may call it, besides localhost and addresses. */
  readonly ownNames: readonly string[];
}

const ALL: readonly Scope[] = ["read", "download", "preheat", "admin"];

/** Never throws: a token that is not known counts as none. */
export function identify(from: Credentials, rules: AccessRules, wallMs: number): Identity {
  const { address } = from;
  const onThisMachine = isThisMachine(from, rules.ownNames);
  const token = tokenOf(from.authorization);
  const entry = token === undefined ? undefined : findToken(rules.tokens, token, wallMs);
  if (entry !== undefined) return { name: entry.name, address, scopes: entry.scopes, hasToken: true, onThisMachine };
  const rest = { address, hasToken: false, onThisMachine };
  if (rules.mode === "local" && onThisMachine) return { name: "local", scopes: ALL, ...rest };
  return { name: "anyone", scopes: rules.mode === "open" ? ALL : [], ...rest };
}

/** Throws SkimmerError `unauthorized` or `forbidden` where he has none of the scopes; none needed: all may. */
export function checkScopes(identity: Identity, needed: readonly Scope[], from: Credentials): void {
  if (needed.length === 0 || needed.some((scope) => hasScope(identity, scope))) return;
  const scopes = needed.join(" or ");
  if (identity.hasToken)
    throw new SkimmerError("forbidden", `the token "${identity.name}" has not the scope ${scopes} that this needs`, {
      hint: `Use a token with it: supernode token new --scope ${needed[0]}`,
    });
  const brought = tokenOf(from.authorization) !== undefined;
  const reason = brought ? "the token is unknown here, or has expired" : "this needs a token";
  throw new SkimmerError("unauthorized", `${reason} (scope ${scopes})`, {
    hint: "Send Authorization: Bearer TOKEN; dfget, dfdaemon and seeder take --token or SKIMMER_TOKEN. Make one on the supernode's host: supernode token new",
  });
}

/**
 * A browser sends another site's page's requests with the credentials that it remembers, and from this machine.
 * Throws SkimmerError `forbidden` for what such a page would change.
 */
export function checkSameSite(method: string, { origin, host, fetchSite }: Credentials): void {
  if (method === "GET" || method === "HEAD") return;
  const foreign = origin !== undefined && hostOf(origin) !== host?.toLowerCase();
  if (!foreign && fetchSite !== "cross-site") return;
  throw new SkimmerError("forbidden", "a page of another site may not change anything here", {
    hint: "Call the API from the supernode's own page, or from outside a browser.",
  });
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function isThisMachine(from: Credentials, ownNames: readonly string[]): boolean {
  if (!isLoopback(from.address) || from.forwarded) return false;
  const name = from.host === undefined ? "" : nameOf(from.host);
  return name === "" || isIP(name) !== 0 || name === "localhost" || name.endsWith(".localhost") || ownNames.includes(name);
}

/** The Host header without port and brackets. */
function nameOf(host: string): string {
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, "") : "?";
}

export function isLoopback(address: string): boolean {
  return address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}
