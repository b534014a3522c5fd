/**
 * One HTTP exchange with a registry: redirects followed (credentials dropped when they lead to another host, where layers
 * live behind signed URLs), waits bounded, bodies as streams. Drives undici.
 */
import { readFileSync } from "node:fs";
import { getCACertificates } from "node:tls";
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from "undici";
import { SkimmerError } from "../system/errors.ts";
import { type ConnectGuard, guardedConnector, proxiedGuard } from "../system/guarded-connect.ts";

export type HeaderBag = Readonly<Record<string, string | string[] | undefined>>;

export interface RegistryRequest {
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** False: a redirect is the answer. */
  readonly follow?: boolean;
  readonly signal: AbortSignal;
}

export interface RegistryResponse {
  readonly status: number;
  readonly headers: HeaderBag;
  /** The URL that answered, after redirects. Signed: not for logs or identities. */
  readonly url: string;
  /** Must be read to its end or destroyed. */
  readonly body: Dispatcher.ResponseData["body"];
}

const CONNECT_MS = 10_000;
const HEADERS_MS = 30_000;
/** Between two chunks of a body. */
const SILENCE_MS = 30_000;
const MOST_REDIRECTS = 10;
const MOST_CONNECTIONS = 64;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const CREDENTIALS = new Set(["authorization", "cookie", "proxy-authorization"]);

export interface RegistryTls {
  /** PEM file of authorities to believe besides those that Node believes. */
  readonly caFile?: string;
  /** True: certificates are not checked. */
  readonly insecure?: boolean;
  /** Where connections may lead; absent: anywhere. */
  readonly guard?: ConnectGuard;
}

/** Connections to registries; proxy variables hold. Throws SkimmerError `bad_request` for an unreadable authority file. */
export function openRegistryConnections(tls: RegistryTls = {}): Dispatcher {
  const ca = tls.caFile === undefined ? {} : { ca: readAuthorities(tls.caFile) };
  const { guard } = tls;
  const options = { timeout: CONNECT_MS, rejectUnauthorized: tls.insecure !== true, ...ca };
  const connect = guard === undefined ? options : guardedConnector(guard, options);
  const settings: Agent.Options = { connect, headersTimeout: HEADERS_MS, bodyTimeout: SILENCE_MS, connections: MOST_CONNECTIONS };
  const proxied = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].some((name) => (process.env[name] ?? "") !== "");
  if (!proxied) return new Agent(settings);
  const agent = new EnvHttpProxyAgent({ ...settings, requestTls: options });
  return guard === undefined ? agent : agent.compose(proxiedGuard(guard));
}

/** Sends it and follows redirects. Rejects with SkimmerError `origin_unreachable` or `origin_failed`, or the signal's reason. */
export async function sendToRegistry(dispatcher: Dispatcher, asked: RegistryRequest): Promise<RegistryResponse> {
  let { url, headers } = asked;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const response = await sendOnce(dispatcher, { ...asked, url, headers });
    const { location } = response.headers;
    if (asked.follow === false || !REDIRECTS.has(response.status) || typeof location !== "string") return response;
    await response.body.dump();
    const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
    if (next === undefined || !["http:", "https:"].includes(next.protocol))
      throw new SkimmerError("origin_failed", `${new URL(url).host} redirects to an address that cannot be used`);
    if (next.origin !== new URL(url).origin) headers = withoutCredentials(headers);
    url = next.href;
  }
  throw new SkimmerError("origin_failed", `${new URL(asked.url).host} redirects more than ${MOST_REDIRECTS} times`);
}

/** The whole body, where it is not longer than that. Rejects with SkimmerError `origin_failed`. */
export async function readWhole(response: RegistryResponse, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > mostBytes) throw new SkimmerError("origin_failed", `the registry's answer is longer than ${mostBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw asRegistryError(error, response.url);
  }
  return Buffer.concat(chunks);
}

function readAuthorities(path: string): string[] {
  try {
    return [...getCACertificates("default"), readFileSync(path, "utf8")];
  } catch (cause) {
    throw new SkimmerError("bad_request", `cannot read the authorities in ${path}: ${(cause as Error).message}`, { cause });
  }
}

async function sendOnce(dispatcher: Dispatcher, { url, method, headers, body, signal }: RegistryRequest): Promise<RegistryResponse> {
  try {
    const answer = await request(url, { dispatcher, method, headers, body, signal });
    // a cut by us, or a broken connection, must not end the process where nobody reads any more
    answer.body.on("error", () => undefined);
    return { status: answer.statusCode, headers: answer.headers, url, body: answer.body };
  } catch (error) {
    signal.throwIfAborted();
    throw asRegistryError(error, url);
  }
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !CREDENTIALS.has(name.toLowerCase())));
}

const UNREACHABLE = /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/;

function asRegistryError(thrown: unknown, url: string): unknown {
  const error = thrown as NodeJS.ErrnoException;
  if (thrown instanceof SkimmerError || error.name === "AbortError" || error.name === "TimeoutError") return thrown;
  const { host } = new URL(url);
  const unreachable = UNREACHABLE.test(error.code ?? "");
  const message = unreachable ? `cannot reach the registry ${host}: ${error.message || error.code}` : `${host} broke off: ${error.message}`;
  return new SkimmerError(unreachable ? "origin_unreachable" : "origin_failed", message, {
    retriable: true,
    cause: thrown,
    hint: unreachable ? "Check the registry's name, the network and the proxy settings." : undefined,
  });
}
