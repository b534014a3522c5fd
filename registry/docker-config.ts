/**
 * Credentials out of docker's `config.json` (also podman's `auth.json`): the `auths` part. Credential helpers are programs and
 * not run. Decides.
 */
import { SkimmerError } from "../system/errors.ts";
import type { Credentials } from "./credentials.ts";
import { registryBase } from "./image-reference.ts";

/** Credentials by the base of the registry's API. */
export type CredentialStore = ReadonlyMap<string, Credentials>;

/** Throws SkimmerError `bad_request` where it is not such a file. */
export function parseDockerConfig(text: string): CredentialStore {
  const auths = readAuths(text);
  const store = new Map<string, Credentials>();
  for (const [name, entry] of Object.entries(auths)) {
    const credentials = readEntry(entry as Record<string, unknown> | null);
    const [, scheme, host] = /^(?:(https?):\/\/)?([^/]+)/.exec(name) ?? [];
    if (credentials === undefined || host === undefined || !URL.canParse(`http://${host}`)) continue;
    store.set(registryBase(host, { plain: scheme === "http", secure: scheme === "https" }), credentials);
  }
  return store;
}

function readAuths(text: string): object {
  try {
    const { auths } = JSON.parse(text) as { auths?: unknown };
    if (typeof auths === "object" && auths !== null) return auths;
  } catch {
    // falls through
  }
  throw new SkimmerError("bad_request", "the file with registry credentials holds no auths", {
    hint: "It is docker's config.json; docker login writes it where no credential helper is set.",
  });
}

function readEntry(entry: Record<string, unknown> | null): Credentials | undefined {
  const text = (name: string): string | undefined => (typeof entry?.[name] === "string" ? (entry[name] as string) : undefined);
  const auth = Buffer.from(text("auth") ?? "", "base64").toString("utf8");
  const colon = auth.indexOf(":");
  const username = text("username") ?? (colon < 0 ? undefined : auth.slice(0, colon));
  const password = text("password") ?? (colon < 0 ? undefined : auth.slice(colon + 1).replace(/\0+$/, ""));
  const identity = text("identitytoken");
  if (identity !== undefined && identity !== "") return { kind: "identity", username: username ?? "", token: identity };
  return username === undefined || password === undefined ? undefined : { kind: "password", username, password };
}
