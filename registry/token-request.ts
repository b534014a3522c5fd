/**
 * What is asked of a token server, and what its answer means (docker's token authentication and its OAuth2 form). Decides.
 */
import { SkimmerError } from "../system/errors.ts";
import type { Challenge } from "./challenge.ts";
import { basicAuthorization, type Credentials } from "./credentials.ts";

export interface TokenQuestion {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Form body; present: it is a POST. */
  readonly body?: string;
}

export interface Token {
  readonly token: string;
  readonly expiresAtMs: number;
}

/** Where the answer does not say how long the token holds (docker's specification: at least 60 s). */
const DEFAULT_SECONDS = 60;
const MOST_SECONDS = 24 * 3600;
/** A token is not used in its last tenth, at most this long, so that it does not run out on the way. */
const MOST_MARGIN_MS = 30_000;
const MOST_TOKEN = 64 * 1024;
const CLIENT_ID = "skimmer";

export interface TokenInput {
  /** The registry that challenged; a relative realm counts from here. */
  readonly base: string;
  readonly challenge: Challenge;
  readonly scope: string;
  readonly credentials: Credentials | undefined;
}

/** Throws SkimmerError `origin_refused` where the realm cannot be used. */
export function tokenQuestion(input: TokenInput): TokenQuestion {
  const { credentials, challenge, scope } = input;
  const url = realmUrl(input);
  const { service } = challenge.parameters;
  if (credentials?.kind === "identity") {
    const fields = { grant_type: "refresh_token", client_id: CLIENT_ID, service: service ?? "", scope, refresh_token: credentials.token };
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return { url: url.href, headers, body: new URLSearchParams(fields).toString() };
  }
  if (service !== undefined) url.searchParams.set("service", service);
  for (const one of scope.split(" ")) if (one !== "") url.searchParams.append("scope", one);
  if (credentials === undefined) return { url: url.href, headers: {} };
  url.searchParams.set("account", credentials.username);
  return { url: url.href, headers: { authorization: basicAuthorization(credentials) } };
}

/** Throws SkimmerError `origin_failed` where the answer holds no token. */
export function parseTokenAnswer(body: unknown, nowMs: number): Token {
  const fields = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const token = [fields.token, fields.access_token].find((value) => typeof value === "string" && value !== "") as string | undefined;
  if (token === undefined || token.length > MOST_TOKEN || !/^[\x21-\x7e]+$/.test(token))
    throw new SkimmerError("origin_failed", "the registry's token server answered without a token");
  const given = fields.expires_in;
  const known = typeof given === "number" && Number.isFinite(given) && given > 0;
  const lifeMs = Math.min(known ? given : DEFAULT_SECONDS, MOST_SECONDS) * 1000;
  return { token, expiresAtMs: nowMs + lifeMs - Math.min(MOST_MARGIN_MS, lifeMs / 10) };
}

function realmUrl({ base, challenge, credentials }: TokenInput): URL {
  const realm = challenge.parameters.realm ?? "";
  const url = URL.canParse(realm, base) ? new URL(realm, base) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol))
    throw new SkimmerError("origin_refused", `${base} sends its callers to a token server that cannot be used`);
  if (credentials !== undefined && url.protocol === "http:" && base.startsWith("https:"))
    throw new SkimmerError("origin_refused", `${base} asks for credentials to be sent in the clear to ${url.host}`, {
      hint: "Correct the realm in the registry's configuration to https.",
    });
  url.hash = "";
  return url;
}
