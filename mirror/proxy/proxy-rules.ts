/**
 * What becomes of a request that came to the proxy: ordered rules, the first that fits decides. Decides.
 */
import { badConfig, checkKeys, list, mapping, readPattern, text } from "../config-fields.ts";

export type ProxyAction =
  /** Through the swarm; a registry's blob by its digest. */
  { readonly kind: "swarm" } | { readonly kind: "direct" } | { readonly kind: "refuse" };

export interface ProxyRule {
  /** Against the whole URL; for tunnels against `host:port`. */
  readonly pattern: RegExp;
  readonly action: ProxyAction;
  /** Host, or whole URL with `$1` of the pattern, that is asked instead. */
  readonly redirect?: string;
  /** Asked by https, though it came as http. */
  readonly https: boolean;
}

export interface ProxyConfig {
  readonly rules: readonly ProxyRule[];
  /** Callers must bring it; undefined: anyone may use the proxy. */
  readonly login?: { readonly username: string; readonly password: string };
  /** Hosts (`host:port`) whose TLS is opened; empty: none. */
  readonly intercept: readonly RegExp[];
}

export interface ProxyDecision {
  readonly action: ProxyAction;
  readonly url: string;
}

/** Blobs of registries, where nobody wrote rules. */
const DEFAULT_RULES: readonly ProxyRule[] = [
  { pattern: /\/v2\/[^?#]+\/blobs\/sha256(?::|%3[aA])[0-9a-f]{64}(?:\?|$)/, action: { kind: "swarm" }, https: false },
];
const MOST_RULES = 1000;
const ACTIONS: readonly ProxyAction["kind"][] = ["swarm", "direct", "refuse"];

/** The `proxy` part of the configuration. Throws SkimmerError `bad_request`. */
export function parseProxyConfig(value: unknown): ProxyConfig {
  const fields = mapping(value ?? {}, "proxy");
  checkKeys(fields, ["rules", "username", "password", "intercept"], "proxy");
  const given = list(fields.rules, "proxy: rules");
  if (given.length > MOST_RULES) throw badConfig(`there are ${given.length} proxy rules`, `At most ${MOST_RULES}.`);
  const username = text(fields.username, "proxy: username");
  const password = text(fields.password, "proxy: password");
  if ((username === undefined) !== (password === undefined)) throw badConfig("proxy has only one of username and password", "Give both.");
  return {
    rules: fields.rules === undefined ? DEFAULT_RULES : given.map(readRule),
    login: username === undefined || password === undefined ? undefined : { username, password },
    intercept: list(fields.intercept, "proxy: intercept").map((item) => readHost(text(item, "proxy: intercept") ?? "")),
  };
}

/** The action of the first rule that fits, and the URL to ask; without one it is direct. */
export function decideProxy(url: string, rules: readonly ProxyRule[]): ProxyDecision {
  const rule = rules.find(({ pattern }) => pattern.test(url));
  if (rule === undefined) return { action: { kind: "direct" }, url };
  const redirected = rule.redirect === undefined ? url : redirect(url, rule.pattern, rule.redirect);
  return { action: rule.action, url: rule.https ? redirected.replace(/^http:/, "https:") : redirected };
}

/** Whether a tunnel to `host:port` is to be opened. */
export function isIntercepted(target: string, { intercept }: ProxyConfig): boolean {
  return intercept.some((pattern) => pattern.test(target));
}

function readRule(value: unknown): ProxyRule {
  const fields = mapping(value, "proxy: rules");
  checkKeys(fields, ["match", "action", "redirect", "https"], "a proxy rule");
  const match = text(fields.match, "match");
  if (match === undefined) throw badConfig("a proxy rule lacks match", "Write a regular expression for the URL.");
  const named = text(fields.action, "action") ?? "direct";
  const kind = ACTIONS.find((action) => action === named);
  if (kind === undefined) throw badConfig(`"${named}" is no action`, `One of ${ACTIONS.join(", ")}.`);
  return {
    pattern: readPattern(match, "proxy: match"),
    action: { kind },
    redirect: text(fields.redirect, "redirect"),
    https: fields.https === true,
  };
}

function redirect(url: string, pattern: RegExp, to: string): string {
  if (/^https?:\/\//i.test(to)) return url.replace(pattern, to);
  const target = new URL(url);
  const { host, protocol } = new URL(`${target.protocol}//${to}`);
  // host= alone would keep a port of the old one
  return `${protocol}//${host}${target.pathname}${target.search}`;
}

/** `registry.corp`, `registry.corp:5000`, `*.corp`; without a port any. */
function readHost(name: string): RegExp {
  if (!/^[A-Za-z0-9.*:-]{1,260}$/.test(name)) throw badConfig(`"${name}" is no host`, "Write HOST, HOST:PORT or *.DOMAIN.");
  const source = name.toLowerCase().replaceAll(".", "\\.").replaceAll("*", "[^:]*");
  return new RegExp(`^${source}${/:\d+$/.test(name) ? "" : ":\\d+"}$`, "i");
}
