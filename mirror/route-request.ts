/**
 * Which registry and what of it a request to the mirror means. Decides; a stranger wrote the request.
 *
 * The registry is named, in this order, by `?ns=` (containerd), by the first component of the path
 * (`/v2/ghcr.io/owner/name/…`, for engines that can only change the location), by the Host header, else it is the default one.
 */
import { isDigest } from "../registry/digest.ts";
import { isRepository } from "../registry/image-reference.ts";

export interface RouteInput {
  readonly method: string;
  /** Path and query as they came. */
  readonly url: string;
  readonly host: string | undefined;
}

export interface RouteTable {
  /** Names of configured registries. */
  readonly names: ReadonlySet<string>;
  readonly defaultName: string;
  /** Registries that are not configured may be asked for by name. */
  readonly others: boolean;
}

export type RouteKind = "ping" | "manifest" | "blob" | "other";

export interface Route {
  readonly kind: RouteKind;
  /** Name of the registry, as people call it. */
  readonly registry: string;
  /** Empty where the path names none. */
  readonly repository: string;
  /** Tag or digest; empty where there is none. */
  readonly reference: string;
  /** Path and query at the registry, before a rewrite of the repository; `ns` is left out. */
  readonly path: string;
  /** The path's first component, where that named the registry; else empty. */
  readonly prefix: string;
}

export type Routed = Route | { readonly kind: "refused"; readonly why: string };

const MOST_URL_LENGTH = 8192;
const API = "/v2/";
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const HOST = /^(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(:\d{1,5})?$/;
const HUB_NAMES = new Set(["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"]);
/** Docker Hub under the one name that configuration uses. */
export const DOCKER_HUB = "docker.io";

/** One name for each registry. */
export function registryName(host: string): string {
  const lower = host.toLowerCase();
  return HUB_NAMES.has(lower) ? DOCKER_HUB : lower;
}

/** Where the request goes. */
export function routeRequest({ method, url, host }: RouteInput, table: RouteTable): Routed {
  const parsed = url.length <= MOST_URL_LENGTH && URL.canParse(url, "http://mirror") ? new URL(url, "http://mirror") : undefined;
  if (parsed === undefined || !url.startsWith("/")) return { kind: "refused", why: "the path cannot be read" };
  const ns = parsed.searchParams.get("ns");
  const search = withoutNs(parsed);
  const rest = parsed.pathname.startsWith(API) ? parsed.pathname.slice(API.length) : undefined;
  if (ns !== null && !HOST.test(ns)) return { kind: "refused", why: "ns is no host" };
  const named = ns === null ? undefined : registryName(ns);
  const prefix = rest === undefined ? "" : prefixOf(rest, table);
  const registry = named ?? (prefix === "" ? byHost(host, table) : registryName(decodeColon(prefix)));
  if (!table.names.has(registry) && !table.others) return { kind: "refused", why: `the registry ${registry} is not configured here` };
  if (rest === undefined) {
    const kind = parsed.pathname === "/v2" ? "ping" : "other";
    return { kind, registry, repository: "", reference: "", path: parsed.pathname + search, prefix: "" };
  }
  // named both ways: the path still has the prefix in front
  const inner = prefix === "" ? rest : rest.slice(prefix.length + 1);
  return routeApi({ method, inner, registry, prefix, search });
}

/** A request whose registry is known from its URL. */
export function routeApiPath(input: { method: string; pathname: string; search: string; registry: string }): Route {
  const { method, pathname, search, registry } = input;
  if (pathname.startsWith(API)) return routeApi({ method, inner: pathname.slice(API.length), registry, prefix: "", search });
  return { kind: "other", registry, repository: "", reference: "", path: pathname + search, prefix: "" };
}

function routeApi(input: { method: string; inner: string; registry: string; prefix: string; search: string }): Route {
  const { method, inner, registry, prefix, search } = input;
  const common = { registry, prefix, path: API + inner + search };
  if (inner === "") return { ...common, kind: "ping", repository: "", reference: "" };
  const [, name, action, tail] = /^(.+)\/(manifests|blobs|tags|referrers)\/(.+)$/.exec(inner) ?? [];
  if (name === undefined || !isRepository(name)) return { ...common, kind: "other", repository: "", reference: "" };
  const repository = registry === DOCKER_HUB && !name.includes("/") ? `library/${name}` : name;
  const path = `${API}${repository}/${action}/${tail}${search}`;
  const reference = tail.replace(/%3a/i, ":");
  const reads = method === "GET" || method === "HEAD";
  if (reads && action === "blobs" && isDigest(reference)) return { ...common, kind: "blob", repository, reference, path };
  if (reads && action === "manifests" && (TAG.test(reference) || isDigest(reference)))
    return { ...common, kind: "manifest", repository, reference, path };
  return { ...common, kind: "other", repository, reference, path };
}

/**
 * The component that names a registry, else empty. Any host will do where Docker Hub is the default, since its repositories
 * never begin with one; other registries may have repositories that look like it.
 */
function prefixOf(rest: string, { names, others, defaultName }: RouteTable): string {
  const slash = rest.indexOf("/");
  const first = decodeColon(slash < 0 ? rest : rest.slice(0, slash));
  if (first === "" || !HOST.test(first)) return "";
  const raw = slash < 0 ? rest : rest.slice(0, slash);
  if (names.has(registryName(first)) && /[.:]|^localhost$/.test(first)) return raw;
  const isHost = first.includes(":") || HUB_NAMES.has(first) || (first.includes(".") && defaultName === DOCKER_HUB);
  return others && isHost ? raw : "";
}

function byHost(host: string | undefined, { names, defaultName }: RouteTable): string {
  const name = registryName(host ?? "");
  return names.has(name) ? name : defaultName;
}

function withoutNs(url: URL): string {
  if (!url.searchParams.has("ns")) return url.search;
  url.searchParams.delete("ns");
  return url.search;
}

function decodeColon(text: string): string {
  return text.replace(/%3a/gi, ":");
}
