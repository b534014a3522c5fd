/**
 * Any URL's content through the swarm, for proxy rules that say so: what dfget would do, as an HTTP answer. Drives.
 * The origin is asked with the caller's own headers; what cannot be had as a task goes straight through.
 */
import type { DownloadRequest } from "../../peer/daemon/daemon-api.ts";
import type { Content } from "../../peer/daemon/open-content.ts";
import { toSkimmerError } from "../../system/errors.ts";
import type { ContentSource } from "../blob-handler.ts";
import { namesTag } from "../blob-headers.ts";
import { answerRange } from "../byte-range.ts";
import type { Exchange } from "../exchange.ts";
import { forwardedHeaders, provenanceHeaders, sharesSince } from "../mirror-headers.ts";

/** Headers that are about this answer or this connection, not about who asks. */
const NOT_FOR_ORIGIN = /^(range|if-.*|accept-encoding|content-length|cache-control|pragma)$/;

/** False where it cannot be had so, and nothing was sent yet. Rejects when the answer broke off. */
export async function sendFromSwarm(exchange: Exchange, url: string, source: ContentSource): Promise<boolean> {
  let content: Content | undefined;
  try {
    content = await source.content(downloadOf(exchange, url), { signal: exchange.signal });
  } catch (thrown) {
    exchange.signal.throwIfAborted();
    exchange.account.reason = toSkimmerError(thrown).message;
  }
  if (content === undefined) return false;
  await using held = content;
  await answer(exchange, held);
  return true;
}

async function answer(exchange: Exchange, content: Content): Promise<void> {
  const { lengthBytes, infoHash, validators } = content;
  const cache = content.complete ? "hit" : content.from().cache > 0 ? "partial" : "miss";
  const shared = { cache, source: cache === "hit" ? "store" : "swarm", task: infoHash } as const;
  Object.assign(exchange.account, shared);
  const headers: Record<string, string> = {
    "content-type": "application/octet-stream",
    "accept-ranges": "bytes",
    ...(validators.etag === undefined ? {} : { etag: validators.etag }),
    ...(validators.lastModified === undefined ? {} : { "last-modified": validators.lastModified }),
    ...provenanceHeaders({ ...shared, from: content.from() }),
  };
  const etag = validators.etag ?? "";
  if (etag !== "" && namesTag(exchange.header("if-none-match"), etag)) return exchange.sendNothing(304, headers);
  const range = answerRange({ range: exchange.header("range"), ifRange: exchange.header("if-range"), etag, lengthBytes });
  if (range.kind === "unsatisfiable") return exchange.send(416, { ...headers, "content-range": `bytes */${lengthBytes}` });
  const span = range.kind === "span" ? range : { firstByte: 0, lastByte: lengthBytes - 1 };
  const contentRange = range.kind === "span" ? { "content-range": `bytes ${span.firstByte}-${span.lastByte}/${lengthBytes}` } : {};
  const length = span.lastByte - span.firstByte + 1;
  exchange.begin(range.kind === "span" ? 206 : 200, { ...headers, ...contentRange, "content-length": length });
  const begin = content.from();
  if (range.kind === "all" || range.open) content.fetchAll();
  await content.stream(span, (bytes) => exchange.write(bytes), exchange.signal);
  exchange.account.from = sharesSince(begin, content.from(), length);
  exchange.response.end();
}

function downloadOf(exchange: Exchange, url: string): DownloadRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(forwardedHeaders(exchange.request.headers)))
    if (!NOT_FOR_ORIGIN.test(name)) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  return { url, headers, outputMode: 0o600, limitBytesPerSecond: 0, notbs: false, pattern: "p2p", priority: 3, timeoutMs: 0 };
}
