/**
 * One small GET, whole body in memory, bounded in time and length. Drives. For trackers.
 * Keeps connections alive between announces; follows no redirect.
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
const agent = new http.Agent({ keepAlive: true, maxFreeSockets: IDLE_SOCKETS });

/** The body of a 200 answer. Rejects with SkimmerError `protocol` (status, length), `timeout` or `no_supernode` (no connection). */
export async function httpGet(url: string, options: GetOptions): Promise<Buffer> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
  const response = await open(url, signal);
  try {
    if (response.statusCode !== 200)
      throw new SkimmerError("protocol", `the tracker answered HTTP ${response.statusCode}`, { status: response.statusCode });
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > options.maxBytes) throw new SkimmerError("protocol", `the tracker's answer is longer than ${options.maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, length);
  } catch (thrown) {
    response.destroy();
    throw thrown;
  }
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
