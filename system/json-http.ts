/**
 * JSON over plain node:http, to a URL or a Unix socket: small and quick to load, since dfget starts with it.
 * Bounded: answer length and time.
 */
import http from "node:http";
import { SkimmerError } from "./errors.ts";

const MOST_BYTES = 64 * 1024 * 1024;
const TIMEOUT_MS = 30_000;

export interface JsonRequest {
  /** URL; with `socketPath` only its path and query count. */
  readonly url: string;
  readonly socketPath?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
}

export interface JsonResponse {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Parsed body; undefined where it is empty. */
  readonly body: unknown;
}

/** Sends one request and reads its JSON answer. Rejects with the system's error, or SkimmerError `protocol`. */
export async function requestJson(request: JsonRequest): Promise<JsonResponse> {
  const timeout = AbortSignal.timeout(request.timeoutMs ?? TIMEOUT_MS);
  const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]);
  const response = await sendJson(request, signal);
  const text = await readText(response, request.maxBytes ?? MOST_BYTES);
  return { status: response.statusCode ?? 0, headers: response.headers, body: parse(text, request.url) };
}

/** Sends the request; the answer's body is left to the caller (event streams). */
export function sendJson(request: JsonRequest, signal: AbortSignal | undefined): Promise<http.IncomingMessage> {
  const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
  const headers: Record<string, string | number> = { accept: "application/json", ...request.headers };
  if (body !== undefined) Object.assign(headers, { "content-type": "application/json", "content-length": body.length });
  const options = {
    method: request.method ?? (body === undefined ? "GET" : "POST"),
    headers,
    signal,
    socketPath: request.socketPath,
    agent: false as const,
  };
  return openRequest(request.url, options, body);
}

async function openRequest(url: string, options: http.RequestOptions, body: Buffer | undefined): Promise<http.IncomingMessage> {
  // https costs start-up time, and most supernodes and all sockets speak http
  const { request } = url.startsWith("https:") ? await import("node:https") : http;
  return new Promise((resolve, reject) => {
    const sent = request(url, options, resolve);
    sent.on("error", reject);
    sent.end(body);
  });
}

async function readText(response: http.IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw new SkimmerError("protocol", `the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(text: string, url: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SkimmerError("protocol", `${url} did not answer with JSON`, { cause: error });
  }
}
