/**
 * A client of one registry's API (OCI distribution): asks, answers the registry's challenges with cached tokens, verifies
 * manifests. Drives HTTP. Invariant: credentials go to the registry and to the token server that it names, nowhere else.
 */
import type { Dispatcher } from "undici";
import type { Clock } from "../system/clock.ts";
import { SkimmerError } from "../system/errors.ts";
import { type Challenge, chooseChallenge, parseChallenges } from "./challenge.ts";
import { basicAuthorization, type Credentials, credentialsKey } from "./credentials.ts";
import { digestOf, hasDigest, isDigest } from "./digest.ts";
import { MANIFEST_TYPES } from "./manifest.ts";
import { type RegistryRequest, type RegistryResponse, readWhole, sendToRegistry } from "./registry-http.ts";
import type { TokenCache } from "./token-cache.ts";
import { parseTokenAnswer, type TokenInput, tokenQuestion } from "./token-request.ts";

/** What the specification asks registries to accept at least. */
export const MOST_MANIFEST_BYTES = 4 * 1024 * 1024;
const MOST_TOKEN_ANSWER = 256 * 1024;
const MOST_ERROR_BYTES = 64 * 1024;
const SMALL_ANSWER_MS = 60_000;
const TOKEN_MS = 30_000;
/** Repositories whose challenge is remembered; the oldest goes. */
const MOST_CHALLENGES = 10_000;

export interface RegistryClientOptions {
  /** `https://registry-1.docker.io`. */
  readonly base: string;
  readonly credentials?: Credentials;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as `Authorization` as it is, where the caller has its own; no challenge is answered then. */
  readonly authorization?: string;
  /** May be shared between clients. */
  readonly tokens: TokenCache;
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
}

export interface RegistryCall {
  readonly method?: "GET" | "HEAD";
  /** `/v2/NAME/…`. */
  readonly path: string;
  readonly repository: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** False: a redirect is the answer. */
  readonly follow?: boolean;
  readonly signal: AbortSignal;
}

export interface ManifestAnswer {
  readonly bytes: Buffer;
  /** As the registry named it. */
  readonly mediaType: string;
  readonly digest: string;
}

interface Answerable {
  readonly challenge: Challenge;
  readonly scope: string;
}

export class RegistryClient {
  readonly #options: RegistryClientOptions;
  /** How the registry challenged for a repository, so that later requests bring what it wants. */
  readonly #challenges = new Map<string, Answerable>();

  constructor(options: RegistryClientOptions) {
    this.#options = options;
  }

  get base(): string {
    return this.#options.base;
  }

  /** Any request of the API, with the registry's challenge answered; the status is the caller's to judge. */
  async send(call: RegistryCall): Promise<RegistryResponse> {
    const known = this.#challenges.get(call.repository);
    const authorization = await this.#authorizationFor(known, call.signal);
    const response = await this.#sendWith(authorization, call);
    if (response.status !== 401 || this.#options.authorization !== undefined) return response;
    const challenge = chooseChallenge(parseChallenges(response.headers["www-authenticate"]));
    if (challenge === undefined) return response;
    const answerable = { challenge, scope: challenge.parameters.scope ?? `repository:${call.repository}:pull` };
    if (authorization !== undefined) this.#forget(known, authorization);
    this.#remember(call.repository, answerable);
    const answer = await this.#authorizationFor(answerable, call.signal);
    if (answer === undefined || answer === authorization) return response;
    await response.body.dump();
    return this.#sendWith(answer, call);
  }

  /** A manifest or an index, bounded and with its digest verified. Rejects with SkimmerError origin_*. */
  async manifest(target: { repository: string; reference: string; signal: AbortSignal }): Promise<ManifestAnswer> {
    const { repository, reference } = target;
    const signal = AbortSignal.any([target.signal, AbortSignal.timeout(SMALL_ANSWER_MS)]);
    const path = `/v2/${repository}/manifests/${reference}`;
    const response = await this.send({ path, repository, headers: { accept: MANIFEST_TYPES.join(", ") }, signal });
    await this.#check(response, `${repository}:${reference}`);
    const bytes = await readWhole(response, MOST_MANIFEST_BYTES);
    const claimed = response.headers["docker-content-digest"];
    const digest = isDigest(reference) ? reference : typeof claimed === "string" && isDigest(claimed) ? claimed : digestOf(bytes);
    if (!hasDigest(bytes, digest))
      throw new SkimmerError("digest_mismatch", `the registry's manifest of ${repository}:${reference} does not have the digest ${digest}`);
    const mediaType = String(response.headers["content-type"] ?? "").split(";", 1)[0];
    return { bytes, mediaType: mediaType.trim(), digest };
  }

  /**
   * The `Authorization` with which somebody else (a seeder) may read this blob just now; undefined where none is needed.
   * Asks the registry for the blob's headers where it has not challenged for this repository yet.
   */
  async authorizeBlob(blob: { repository: string; digest: string; signal: AbortSignal }): Promise<string | undefined> {
    const { authorization } = this.#options;
    if (authorization !== undefined) return authorization;
    const signal = AbortSignal.any([blob.signal, AbortSignal.timeout(SMALL_ANSWER_MS)]);
    if (!this.#challenges.has(blob.repository)) {
      const path = `/v2/${blob.repository}/blobs/${blob.digest}`;
      // a redirect means yes; the signed URL behind it may be good for GET only
      const response = await this.send({ method: "HEAD", path, repository: blob.repository, follow: false, signal });
      if (response.status < 300 || response.status > 399) await this.#check(response, `${blob.repository}@${blob.digest}`);
      response.body.destroy();
    }
    return this.#authorizationFor(this.#challenges.get(blob.repository), signal);
  }

  #sendWith(authorization: string | undefined, { method = "GET", path, headers, follow, signal }: RegistryCall): Promise<RegistryResponse> {
    const all: Record<string, string> = { "user-agent": "skimmer", ...this.#options.headers, ...headers };
    if (authorization !== undefined) all.authorization = authorization;
    return sendToRegistry(this.#options.dispatcher, { method, url: this.#options.base + path, headers: all, follow, signal });
  }

  async #authorizationFor(known: Answerable | undefined, signal: AbortSignal): Promise<string | undefined> {
    const { credentials, authorization } = this.#options;
    if (authorization !== undefined || known === undefined) return authorization;
    if (known.challenge.scheme === "basic") return credentials && basicAuthorization(credentials);
    const asked = this.#options.tokens.get(this.#tokenKey(known), () => this.#askToken(known));
    return `Bearer ${await abortable(asked, signal)}`;
  }

  /** Not bound to one caller's signal: others wait for the same token. */
  async #askToken(known: Answerable): Promise<ReturnType<typeof parseTokenAnswer>> {
    const { dispatcher, clock } = this.#options;
    const { url, headers, body } = tokenQuestion(this.#tokenInput(known));
    const method = body === undefined ? "GET" : "POST";
    const question: RegistryRequest = { method, url, headers, body, signal: AbortSignal.timeout(TOKEN_MS) };
    const response = await sendToRegistry(dispatcher, question);
    await this.#check(response, "a token");
    const text = (await readWhole(response, MOST_TOKEN_ANSWER)).toString("utf8");
    return parseTokenAnswer(parseJson(text), clock.nowMs());
  }

  #tokenInput({ challenge, scope }: Answerable): TokenInput {
    return { base: this.#options.base, challenge, scope, credentials: this.#options.credentials };
  }

  #tokenKey({ challenge, scope }: Answerable): string {
    const { realm, service = "" } = challenge.parameters;
    return JSON.stringify([this.#options.base, realm, service, scope, credentialsKey(this.#options.credentials)]);
  }

  #remember(repository: string, answerable: Answerable): void {
    this.#challenges.delete(repository);
    this.#challenges.set(repository, answerable);
    if (this.#challenges.size > MOST_CHALLENGES) this.#challenges.delete(this.#challenges.keys().next().value as string);
  }

  #forget(known: Answerable | undefined, authorization: string): void {
    if (known !== undefined) this.#options.tokens.forget(this.#tokenKey(known), authorization.replace(/^Bearer /, ""));
  }

  /** Any status but 2xx as an error; reads what the registry says of it. */
  async #check(response: RegistryResponse, what: string): Promise<void> {
    const { status } = response;
    if (status >= 200 && status < 300) return;
    const said = await readWhole(response, MOST_ERROR_BYTES).catch(() => Buffer.alloc(0));
    const message = `the registry ${new URL(this.#options.base).host} answered ${status}${errorCodeOf(said)} for ${what}`;
    if (status === 401 || status === 403)
      throw new SkimmerError("origin_refused", message, { status, hint: "Give user name and password, or check the image's name." });
    if (status === 404 || status === 410) throw new SkimmerError("origin_not_found", message, { status });
    throw new SkimmerError("origin_failed", message, { status, retriable: status >= 500 || status === 429 });
  }
}

/** ` (MANIFEST_UNKNOWN)`: the first code of the specification's error body. */
function errorCodeOf(body: Buffer): string {
  const [, code] = /"code"\s*:\s*"([A-Z_]{1,64})"/.exec(body.toString("latin1")) ?? [];
  return code === undefined ? "" : ` (${code})`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => undefined);
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
