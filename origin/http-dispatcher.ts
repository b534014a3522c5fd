/**
 * The undici dispatcher that origins are read through: proxies from the environment, TLS with own authorities, bounded
 * connections. Drives.
 *
 * HTTP/1.1 only: parallel ranges live from parallel connections, which HTTP/2 folds into one. Measured on loopback with TLS,
 * 256 MiB in ranges over 4 lanes: see docs/origins.md.
 */
import { readFileSync } from "node:fs";
import { getCACertificates } from "node:tls";
import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import { SkimmerError } from "../system/errors.ts";
import { type ConnectGuard, guardedConnector, proxiedGuard } from "../system/guarded-connect.ts";

export interface DispatcherOptions {
  /** Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Longest silence before and in an answer. Default 30 s. */
  readonly stallTimeoutMs?: number;
  /** Connections at once to one scheme, host and port. Default 16. */
  readonly maxConnectionsPerHost?: number;
  /** PEM file of further authorities, besides those that Node trusts. */
  readonly caFile?: string;
  /** Yet more of them, in PEM. */
  readonly ca?: string;
  /** True: certificates are not checked. */
  readonly insecure?: boolean;
  /** Where connections may lead; absent: anywhere. */
  readonly guard?: ConnectGuard;
}

const MOST_HEADER_BYTES = 64 * 1024;
const PROXY_VARIABLES = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"];

/** Throws SkimmerError `bad_request` for an unreadable authority file or proxy variable. */
export function openDispatcher(options: DispatcherOptions): Dispatcher {
  const stallTimeoutMs = options.stallTimeoutMs ?? 30_000;
  const timeout = options.connectTimeoutMs ?? 10_000;
  const tls = { ...authoritiesOf(options), rejectUnauthorized: !options.insecure };
  const { guard } = options;
  const connect = { timeout, allowH2: false, ...tls };
  const agentOptions = {
    connect: guard === undefined ? connect : guardedConnector(guard, connect),
    allowH2: false,
    headersTimeout: stallTimeoutMs,
    bodyTimeout: stallTimeoutMs,
    connections: options.maxConnectionsPerHost ?? 16,
    pipelining: 1,
    maxHeaderSize: MOST_HEADER_BYTES,
  };
  if (!PROXY_VARIABLES.some((name) => process.env[name])) return new Agent(agentOptions);
  try {
    // plain http goes through the proxy as such, https through a tunnel
    const agent = new EnvHttpProxyAgent({ ...agentOptions, connectTimeout: timeout, requestTls: tls, proxyTls: tls });
    return guard === undefined ? agent : agent.compose(proxiedGuard(guard));
  } catch (cause) {
    throw new SkimmerError("bad_request", "cannot use the proxy of the environment", {
      hint: `Write ${PROXY_VARIABLES.slice(0, 2).join(" and ")} as http://HOST:PORT.`,
      cause,
    });
  }
}

/** What is given and Node's own: an internal authority does not replace the public ones. */
function authoritiesOf({ caFile, ca }: DispatcherOptions): { ca?: string[] } {
  if (caFile === undefined && ca === undefined) return {};
  const given = [...(caFile === undefined ? [] : [readAuthorities(caFile)]), ...(ca === undefined ? [] : [ca])];
  return { ca: [...getCACertificates("default"), ...given] };
}

function readAuthorities(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new SkimmerError("bad_request", `cannot read the certificates in ${path}: ${(cause as Error).message}`, { cause });
  }
  if (!text.includes("-----BEGIN CERTIFICATE-----"))
    throw new SkimmerError("bad_request", `${path} holds no certificate`, { hint: "Give a PEM file: BEGIN CERTIFICATE …" });
  return text;
}
