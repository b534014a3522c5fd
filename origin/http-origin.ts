/**
 * Origins that speak http and https. Probes by a one-byte range GET: many refuse HEAD, and signed URLs allow only GET.
 * Drives undici; every answer is checked before a byte of it counts.
 */
import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import { SkimmerError } from "../system/errors.ts";
import { contentName } from "./content-name.ts";
import { type ExchangeResponse, exchange } from "./http-exchange.ts";
import {
  headerLength,
  headerText,
  ifRangeValue,
  isOtherVersion,
  parseContentRange,
  parseUnsatisfiedRange,
  readValidators,
} from "./http-headers.ts";
import { parseRetryAfter } from "./retry-delay.ts";
import type { ChunkSink, Origin, OriginRequest, Probe, ReadRange } from "./types.ts";

export interface HttpOriginOptions {
  readonly connectTimeoutMs?: number;
  /** Longest silence in an answer. */
  readonly stallTimeoutMs?: number;
  readonly maxConnectionsPerHost?: number;
  readonly userAgent?: string;
}

/** An origin failure that knows when to come back. */
export class OriginStatusError extends SkimmerError {
  readonly retryAfterMs: number | undefined;

  constructor(response: ExchangeResponse) {
    const { status, headers, url } = response;
    super(codeOf(status), `${new URL(url).host} answered ${status} for ${new URL(url).pathname}`, {
      status,
      retriable: status === 429 || status >= 500,
      hint: hintOf(status),
    });
    this.retryAfterMs = parseRetryAfter(headerText(headers, "retry-after"), Date.now());
  }
}

/** Opens the back end; connections are kept and shared between requests. Honours the proxy variables. */
export function openHttpOrigin(options: HttpOriginOptions = {}): Origin {
  const stallTimeoutMs = options.stallTimeoutMs ?? 30_000;
  const agentOptions: Agent.Options = {
    connect: { timeout: options.connectTimeoutMs ?? 10_000 },
    headersTimeout: stallTimeoutMs,
    bodyTimeout: stallTimeoutMs,
    connections: options.maxConnectionsPerHost ?? 16,
    pipelining: 1,
    maxHeaderSize: 64 * 1024,
  };
  const proxied = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].some((name) => process.env[name]);
  const dispatcher: Dispatcher = proxied ? new EnvHttpProxyAgent(agentOptions) : new Agent(agentOptions);
  const userAgent = options.userAgent ?? "skimmer";
  return {
    probe: (request, { signal }) => probe(dispatcher, withDefaults(request, userAgent), signal),
    read: (request, range, sink, { signal }) => read(dispatcher, withDefaults(request, userAgent), { range, sink, signal }),
    close: () => dispatcher.destroy(),
  };
}

function withDefaults(request: OriginRequest, userAgent: string): OriginRequest {
  const headers: Record<string, string> = { "user-agent": userAgent };
  for (const [name, value] of Object.entries(request.headers))
    if (!HOP_HEADERS.has(name.toLowerCase())) headers[name.toLowerCase()] = value;
  return { ...request, headers: { ...headers, "accept-encoding": "identity" } };
}

/** Headers that belong to one connection, or that we set ourselves. */
const HOP_HEADERS = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "content-length",
  "expect",
  "range",
  "if-range",
  "accept-encoding",
  "host",
]);

async function probe(dispatcher: Dispatcher, request: OriginRequest, signal: AbortSignal): Promise<Probe> {
  const first = request.window?.firstByte ?? 0;
  const headers = { ...request.headers, range: `bytes=${first}-${first}` };
  const response = await exchange(
    dispatcher,
    { url: request.url, headers },
    (got) => (got.status === 206 ? () => undefined : undefined),
    signal,
  );
  const common = {
    validators: readValidators(response.headers),
    name: contentName(headerText(response.headers, "content-disposition"), request.url),
    cacheControl: headerText(response.headers, "cache-control")?.toLowerCase() ?? "",
  };
  if (response.status === 206) {
    const range = parseContentRange(headerText(response.headers, "content-range"));
    if (range?.firstByte !== first)
      throw new SkimmerError("origin_failed", `${new URL(request.url).host} answered a range request with another range`);
    return { ...common, lengthBytes: windowLength(request, range.totalBytes), ranges: range.totalBytes !== undefined };
  }
  if (response.status === 416) return { ...common, lengthBytes: emptyLength(request, response), ranges: false };
  if (response.status !== 200) throw new OriginStatusError(response);
  checkEncoding(response);
  return { ...common, lengthBytes: windowLength(request, headerLength(response.headers, "content-length")), ranges: false };
}

function emptyLength(request: OriginRequest, response: ExchangeResponse): number {
  const total = parseUnsatisfiedRange(headerText(response.headers, "content-range"));
  if (request.window === undefined && (total === undefined || total === 0)) return 0;
  throw new SkimmerError("bad_request", `the range begins behind the end of ${request.url}`, { status: 416 });
}

function windowLength(request: OriginRequest, totalBytes: number | undefined): number | undefined {
  const { window } = request;
  if (window === undefined || totalBytes === undefined) return totalBytes;
  if (window.firstByte >= totalBytes)
    throw new SkimmerError("bad_request", `the range begins behind the end of ${request.url}`, { status: 416 });
  return Math.min(window.lastByte, totalBytes - 1) - window.firstByte + 1;
}

async function read(
  dispatcher: Dispatcher,
  request: OriginRequest,
  task: { range: ReadRange; sink: ChunkSink; signal: AbortSignal },
): Promise<void> {
  const offset = request.window?.firstByte ?? 0;
  const { range, sink, signal } = task;
  const whole = range.lastByte === undefined && range.firstByte + offset === 0;
  const headers: Record<string, string> = { ...request.headers };
  if (!whole) headers.range = `bytes=${range.firstByte + offset}-${range.lastByte === undefined ? "" : range.lastByte + offset}`;
  const ifRange = ifRangeValue(range.validators);
  if (!whole && ifRange !== undefined) headers["if-range"] = ifRange;
  let skip = 0;
  let left = range.lastByte === undefined ? Number.POSITIVE_INFINITY : range.lastByte - range.firstByte + 1;
  let declared = left;
  await exchange(
    dispatcher,
    { url: request.url, headers },
    (response) => {
      const start = checkReadResponse(response, range, offset);
      skip = start.skipBytes;
      declared = Math.min(left, start.bodyBytes - skip);
      left = declared;
      return (chunk) => {
        const from = Math.min(skip, chunk.length);
        skip -= from;
        const part = chunk.subarray(from, from + Math.min(chunk.length - from, left));
        left -= part.length;
        return part.length > 0 ? sink(part) : undefined;
      };
    },
    signal,
  );
  const expected = range.lastByte === undefined ? declared : range.lastByte - range.firstByte + 1;
  if (declared !== expected || (left > 0 && left !== Number.POSITIVE_INFINITY)) {
    throw new SkimmerError("origin_failed", `${new URL(request.url).host} sent fewer bytes than it announced`, { retriable: true });
  }
}

/** Checks status and range; answers how many bytes come before ours (an origin that ignored Range) and how many in all. */
function checkReadResponse(response: ExchangeResponse, range: ReadRange, offset: number): { skipBytes: number; bodyBytes: number } {
  if (response.status !== 200 && response.status !== 206) throw new OriginStatusError(response);
  checkEncoding(response);
  const changed = new SkimmerError("origin_changed", `${response.url} changed while it was being read`, {
    hint: "Start the download again to get the new version.",
  });
  if (isOtherVersion(range.validators, response.headers)) throw changed;
  const bodyBytes = headerLength(response.headers, "content-length") ?? Number.POSITIVE_INFINITY;
  if (response.status === 200) return { skipBytes: range.firstByte + offset, bodyBytes };
  const got = parseContentRange(headerText(response.headers, "content-range"));
  if (got?.firstByte !== range.firstByte + offset)
    throw new SkimmerError("origin_failed", `${response.url} answered with another range than was asked for`, { retriable: true });
  return { skipBytes: 0, bodyBytes: got.lastByte - got.firstByte + 1 };
}

function checkEncoding(response: ExchangeResponse): void {
  const encoding = headerText(response.headers, "content-encoding");
  if (encoding === undefined || encoding === "identity") return;
  throw new SkimmerError("origin_failed", `${response.url} answers with Content-Encoding ${encoding}, though identity was asked for`);
}

function codeOf(status: number) {
  if (status === 401 || status === 403 || status === 407) return "origin_refused" as const;
  return status === 404 || status === 410 ? ("origin_not_found" as const) : ("origin_failed" as const);
}

function hintOf(status: number): string | undefined {
  if (status === 401 || status === 403) return "Give credentials with --header 'Authorization: …'.";
  return status === 404 ? "Check the URL." : undefined;
}
