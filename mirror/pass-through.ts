/**
 * Hands a request on as it came and the answer back as it is, both streaming: pushes, logins, listings, and whatever else is
 * no pull. Drives. Nothing is followed, decoded or kept; of the headers only those of the connection are left out.
 */
import type { IncomingMessage } from "node:http";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Dispatcher } from "undici";
import { SkimmerError } from "../system/errors.ts";
import type { Exchange } from "./exchange.ts";
import { forwardedHeaders, returnedHeaders } from "./mirror-headers.ts";

/** A registry may take long to put a large layer together, or to send the next byte. */
const SILENCE_MS = 300_000;

export interface PassOptions {
  readonly dispatcher: Dispatcher;
  /** Whole URL to ask. */
  readonly url: string;
  /** Sent where the caller has none. */
  readonly authorization?: string;
  /** Changes headers of the answer that name the registry's own address. */
  readonly fixHeaders?: (headers: Record<string, unknown>) => void;
  readonly signal: AbortSignal;
  /** Sees the request's body as it goes by. */
  readonly onBody?: (chunk: Buffer) => void;
}

/** Resolves with the status when the answer was sent. Rejects with SkimmerError `origin_unreachable` before it began. */
export async function passThrough(exchange: Exchange, options: PassOptions): Promise<number> {
  const { request, response } = exchange;
  const { signal } = options;
  const { origin, pathname, search, host } = new URL(options.url);
  const headers: Record<string, string | string[]> = { ...forwardedHeaders(request.headers), host };
  if (headers.authorization === undefined && options.authorization !== undefined) headers.authorization = options.authorization;
  const answer = await options.dispatcher
    .request({
      origin,
      path: pathname + search,
      method: exchange.method as Dispatcher.HttpMethod,
      headers,
      body: bodyOf(request, options.onBody),
      headersTimeout: SILENCE_MS,
      bodyTimeout: SILENCE_MS,
      signal,
    })
    .catch((thrown: unknown) => Promise.reject(signal.aborted ? signal.reason : unreachable(host, thrown)));
  const returned = returnedHeaders(answer.headers) as Record<string, unknown>;
  options.fixHeaders?.(returned);
  Object.assign(exchange.account, { cache: "bypass", source: "registry" });
  // ours win over what another mirror may have said
  response.writeHead(answer.statusCode, { ...(returned as Record<string, string>), ...exchange.provenance() });
  await pipeline(answer.body, counter(exchange), response, { signal });
  return answer.statusCode;
}

function counter(exchange: Exchange): Transform {
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      exchange.count(chunk.length);
      done(null, chunk);
    },
  });
}

/** undefined where the request has no body: then none is announced. */
function bodyOf(request: IncomingMessage, onBody: ((chunk: Buffer) => void) | undefined): IncomingMessage | Transform | undefined {
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  if (encoding === undefined && (length === undefined || length === "0")) return undefined;
  if (onBody === undefined) return request;
  const seen = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      onBody(chunk);
      done(null, chunk);
    },
  });
  request.on("error", (error) => seen.destroy(error));
  return request.pipe(seen);
}

function unreachable(host: string, cause: unknown): SkimmerError {
  return new SkimmerError("origin_unreachable", `cannot reach ${host}: ${(cause as Error).message}`, { retriable: true, cause });
}
