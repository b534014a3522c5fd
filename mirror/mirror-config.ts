/**
 * The mirror's own configuration: registries and proxy rules, from the options and the YAML file of `--mirror-config`. Decides;
 * unknown keys fail, so that a typing error is no silent default. docs/mirror.md describes the file.
 */
import type { Credentials } from "../registry/credentials.ts";
import { registryBase } from "../registry/image-reference.ts";
import { badConfig, checkKeys, type Fields, flag, list, mapping, readPattern, text } from "./config-fields.ts";
import { type ProxyConfig, parseProxyConfig } from "./proxy/proxy-rules.ts";
import { registryName } from "./route-request.ts";

export interface Rewrite {
  readonly pattern: RegExp;
  readonly to: string;
}

export interface RegistryConfig {
  /** As people call it: `docker.io`, `ghcr.io`, `127.0.0.1:5000`. */
  readonly name: string;
  /** Scheme and host of its API. */
  readonly base: string;
  /** PEM file of authorities to believe besides the usual ones. */
  readonly caFile?: string;
  /** True: certificates are not checked. */
  readonly insecure: boolean;
  /** Used for callers that bring none of their own. */
  readonly credentials?: Credentials;
  /** The first that fits changes the repository's name. */
  readonly rewrites: readonly Rewrite[];
}

export interface MirrorConfig {
  readonly registries: ReadonlyMap<string, RegistryConfig>;
  readonly defaultName: string;
  /** Registries that are not configured may be asked for by name. */
  readonly others: boolean;
  readonly proxy: ProxyConfig;
}

const MOST_REGISTRIES = 1000;
const REGISTRY_KEYS = ["url", "ca", "insecure", "username", "password", "identity-token", "rewrite"];

/** `https://HOST[:PORT]` of a registry, or its name. Throws SkimmerError `bad_request`. */
export function parseRegistryUrl(text: string): { name: string; base: string } {
  const [, scheme, rest = ""] = /^(?:(https?):\/\/)?([^/?#]+)\/?$/i.exec(text.trim()) ?? [];
  if (rest === "" || !URL.canParse(`http://${rest}`))
    throw badConfig(`"${text}" is no registry`, "Write it as https://HOST[:PORT] or HOST[:PORT].");
  const plain = scheme?.toLowerCase() === "http";
  return { name: registryName(rest), base: registryBase(rest.toLowerCase(), { plain, secure: scheme?.toLowerCase() === "https" }) };
}

/** What `file` (parsed YAML; undefined: none) and the default registry come to. Throws SkimmerError `bad_request`. */
export function readMirrorConfig(file: unknown, defaultRegistry: { name: string; base: string }): MirrorConfig {
  const fields = mapping(file ?? {}, "the file");
  checkKeys(fields, ["registries", "other-registries", "proxy"], "the file");
  const registries = new Map<string, RegistryConfig>();
  for (const [given, value] of Object.entries(mapping(fields.registries ?? {}, "registries"))) {
    const registry = readRegistry(given, mapping(value ?? {}, given));
    registries.set(registry.name, registry);
  }
  if (registries.size > MOST_REGISTRIES) throw badConfig(`there are ${registries.size} registries`, `At most ${MOST_REGISTRIES}.`);
  const { name, base } = defaultRegistry;
  if (!registries.has(name)) registries.set(name, { name, base, insecure: false, rewrites: [] });
  const others = flag(fields["other-registries"], "other-registries", true);
  return { registries, defaultName: name, others, proxy: parseProxyConfig(fields.proxy) };
}

/** A registry that is in no configuration. */
export function plainRegistry(name: string): RegistryConfig {
  return { name, base: registryBase(name), insecure: false, rewrites: [] };
}

/** The repository's name at the registry. */
export function rewriteRepository(repository: string, rewrites: readonly Rewrite[]): string {
  const rewrite = rewrites.find(({ pattern }) => pattern.test(repository));
  return rewrite === undefined ? repository : repository.replace(rewrite.pattern, rewrite.to);
}

function readRegistry(given: string, fields: Fields): RegistryConfig {
  checkKeys(fields, REGISTRY_KEYS, given);
  const { name, base } = parseRegistryUrl(given);
  const url = text(fields.url, `${given}: url`);
  const rewrites = list(fields.rewrite, `${given}: rewrite`).map((item) => readRewrite(mapping(item, `${given}: rewrite`), given));
  return {
    name,
    base: url === undefined ? base : parseRegistryUrl(url).base,
    caFile: text(fields.ca, `${given}: ca`),
    insecure: flag(fields.insecure, `${given}: insecure`, false),
    credentials: readCredentials(fields, given),
    rewrites,
  };
}

function readCredentials(fields: Fields, name: string): Credentials | undefined {
  const username = text(fields.username, `${name}: username`);
  const password = text(fields.password, `${name}: password`);
  const token = text(fields["identity-token"], `${name}: identity-token`);
  if (token !== undefined) return { kind: "identity", username: username ?? "", token };
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined) throw badConfig(`${name} has only one of username and password`, "Give both.");
  return { kind: "password", username, password };
}

function readRewrite(fields: Fields, name: string): Rewrite {
  checkKeys(fields, ["from", "to"], `${name}: rewrite`);
  const from = text(fields.from, `${name}: from`);
  const to = text(fields.to, `${name}: to`);
  if (from === undefined || to === undefined)
    throw badConfig(`a rewrite of ${name} lacks from or to`, "Write from: '^proxy/(.*)' and to: '$1'.");
  return { pattern: readPattern(from, name), to };
}
