/**
 * One small GET, whole body in memory, bounded in time and length. Drives. For trackers.
 * Keeps connections alive between announces; follows a few redirects, which public trackers use to move to https.
 */
import http from "node:http";
import { SkimmerError } from "../../system/errors.ts";

export interface GetOptions {
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

export type HttpGet = (url: string, options: GetOptions) => Promise<Buffer>;

const IDLE_SOCKETS = 4;
const MOST_REDIRECTS = 4;
const REDIRECTS: readonly (number | undefined)[] = [301, 302, 303, 307, 308];
const agent = new http.Agent({ keepAlive: true, maxFreeSockets: IDLE_SOCKETS });

/** The body of a 200 answer. Rejects with SkimmerError `protocol` (status, length), `timeout` or `no_supernode` (no connection). */
export async function httpGet(url: string, options: GetOptions): Promise<Buffer> {
  const limit = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, limit]);
  try {
    const response = await follow(url, signal);
    return await readBody(response, options.maxBytes);
  } catch (thrown) {
    if (!limit.aborted || options.signal.aborted) throw thrown;
    throw new SkimmerError("timeout", `the tracker did not answer within ${options.timeoutMs / 1000} s`, {
      retriable: true,
      cause: thrown,
    });
  }
}

async function follow(first: string, signal: AbortSignal): Promise<http.IncomingMessage> {
  let url = first;
  for (let redirects = 0; ; redirects++) {
    const response = await open(url, signal);
    const { statusCode: status, headers } = response;
    if (status === 200) return response;
    const target = REDIRECTS.includes(status) ? URL.parse(headers.location ?? "", url) : null;
    response.destroy();
    if (target === null || redirects === MOST_REDIRECTS || !/^https?:$/.test(target.protocol))
      throw new SkimmerError("protocol", `the tracker answered HTTP ${status}`, { status });
    url = target.href;
  }
}

async function readBody(response: http.IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw new SkimmerError("protocol", `the tracker's answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

async function open(url: string, signal: AbortSignal): Promise<http.IncomingMessage> {
  const secure = url.startsWith("https:");
  const { request } = secure ? await import("node:https") : http;
  return new Promise((resolve, reject) => {
    request(url, { agent: secure ? undefined : agent, signal, headers: { accept: "*/*", "user-agent": "skimmer" } })
      .once("response", resolve)
      .once("error", (cause) => reject(new SkimmerError("no_supernode", "the tracker cannot be reached", { retriable: true, cause })))
      .end();
  });
}
