/**
 * A blob straight from its registry, whole or the rest of one that the swarm did not bring. Drives HTTP.
 *
 * Invariant: what is short, or wrong from its beginning, never ends as if it were complete: the connection is cut before the
 * last bytes. Refusals (401, 403, 404, 416, 429 …) go back as the registry said them.
 */
import type { ByteSpan } from "../peer/daemon/open-content.ts";
import type { RegistryResponse } from "../registry/registry-http.ts";
import { SkimmerError } from "../system/errors.ts";
import type { BlobTarget } from "./blob-handler.ts";
import { blobEtag, blobHeaders } from "./blob-headers.ts";
import { answerRange } from "./byte-range.ts";
import { DigestGate } from "./digest-gate.ts";
import type { Exchange } from "./exchange.ts";
import { returnedHeaders } from "./mirror-headers.ts";

export type Sent =
  | { readonly kind: "sent"; readonly status: number }
  /** The registry is in trouble; send() hands its own words on. */
  | { readonly kind: "unavailable"; send(): Promise<void> };

export interface ResumeAt {
  readonly gate: DigestGate;
  readonly span: ByteSpan;
}

/** In a row without a new byte. */
const MOST_TRIES = 3;
/** A store behind the registry whose signed address is good for GET only. */
const HEAD_REFUSED = new Set([403, 405, 501]);

/** Answers with what the registry answers. Rejects with SkimmerError origin_*, digest_mismatch, or when the caller is gone. */
export async function sendDirectly(exchange: Exchange, target: BlobTarget): Promise<Sent> {
  const response = await ask(exchange, target, rangeOf(exchange, target.digest));
  const { status } = response;
  Object.assign(exchange.account, { cache: "bypass", source: "registry" });
  if (status >= 500) return { kind: "unavailable", send: () => sendAsItIs(exchange, response) };
  if (exchange.method === "HEAD") return { kind: "sent", status: await answerHead(exchange, target, response) };
  if (status !== 200 && status !== 206) {
    await sendAsItIs(exchange, response);
    return { kind: "sent", status };
  }
  const place = placeOf(response);
  if (place === undefined) {
    response.body.destroy();
    throw new SkimmerError("origin_failed", `the registry does not tell which part of ${target.digest} it sends`, { retriable: true });
  }
  exchange.begin(status, { ...directHeaders(target, response), ...lengthHeaders(response) });
  const isPart = status === 206 && place.bodyBytes !== place.totalBytes;
  const { firstByte, totalBytes: lengthBytes } = place;
  // a part is the engine's to check, once it has the rest
  const gate = new DigestGate({ digest: target.digest, lengthBytes, firstByte, trusted: isPart });
  await pump(exchange, response, { gate, skipBytes: 0 });
  if (place.bodyBytes !== undefined && gate.at !== place.firstByte + place.bodyBytes) throw cutOff(target, gate.at);
  gate.finish();
  exchange.response.end();
  return { kind: "sent", status };
}

/** Goes on where the swarm stopped; the answer has begun already. Rejects with SkimmerError. */
export async function resumeDirectly(exchange: Exchange, target: BlobTarget, { gate, span }: ResumeAt): Promise<void> {
  for (let tries = 0; gate.at <= span.lastByte; tries++) {
    const { at } = gate;
    try {
      await readRest(exchange, target, { gate, span });
    } catch (thrown) {
      const final = !(thrown instanceof SkimmerError) || thrown.code === "digest_mismatch" || exchange.signal.aborted;
      if (final || tries >= MOST_TRIES) throw thrown;
    }
    if (gate.at > at) tries = 0;
    else if (tries >= MOST_TRIES) throw cutOff(target, at);
  }
}

async function readRest(exchange: Exchange, target: BlobTarget, { gate, span }: Pick<ResumeAt, "gate" | "span">): Promise<void> {
  const { at } = gate;
  const response = await ask(exchange, target, { range: `bytes=${at}-${span.lastByte}` }, "GET");
  const place = placeOf(response);
  const good = response.status === 200 || (response.status === 206 && place?.firstByte === at);
  if (!good) {
    response.body.destroy();
    throw new SkimmerError("origin_failed", `the registry answered ${response.status} for the rest of ${target.digest}`, {
      retriable: true,
    });
  }
  await pump(exchange, response, { gate, skipBytes: response.status === 200 ? at : 0, mostBytes: span.lastByte + 1 - at });
}

function ask(
  exchange: Exchange,
  target: BlobTarget,
  headers: Record<string, string>,
  method = exchange.method as "GET" | "HEAD",
): Promise<RegistryResponse> {
  const { upstream, repository, digest } = target;
  return upstream.send({
    method,
    path: `/v2/${repository}/blobs/${digest}`,
    repository,
    headers: { "accept-encoding": "identity", ...headers },
    authorization: exchange.authorization,
    signal: exchange.signal,
  });
}

/**
 * The caller's range, where it is one that we would answer with a part: several at once would come as another kind of body, and
 * tags of the store behind the registry are none of ours.
 */
function rangeOf(exchange: Exchange, digest: string): Record<string, string> {
  const range = exchange.header("range");
  if (range === undefined || exchange.method === "HEAD") return {};
  const question = { range, ifRange: exchange.header("if-range"), etag: blobEtag(digest), lengthBytes: Number.POSITIVE_INFINITY };
  return answerRange(question).kind === "all" ? {} : { range: range.trim() };
}

async function answerHead(exchange: Exchange, target: BlobTarget, response: RegistryResponse): Promise<number> {
  const { status } = response;
  const asked = `${target.upstream.base}/v2/${target.repository}/blobs/${target.digest}`;
  if (status < 300) {
    await response.body.dump();
    exchange.begin(status, { ...directHeaders(target, response), ...lengthHeaders(response) });
    exchange.response.end();
    return status;
  }
  if (!HEAD_REFUSED.has(status) || response.url === asked) {
    await sendAsItIs(exchange, response);
    return status;
  }
  await response.body.dump();
  const first = await ask(exchange, target, { range: "bytes=0-0" }, "GET");
  first.body.destroy();
  const totalBytes = placeOf(first)?.totalBytes;
  const known = (first.status === 206 || first.status === 200) && totalBytes !== undefined;
  exchange.begin(known ? 200 : first.status, {
    ...directHeaders(target, first),
    ...(known && Number.isFinite(totalBytes) ? { "content-length": totalBytes } : {}),
  });
  exchange.response.end();
  return known ? 200 : first.status;
}

async function sendAsItIs(exchange: Exchange, response: RegistryResponse): Promise<void> {
  exchange.response.writeHead(response.status, { ...returnedHeaders(response.headers), ...exchange.provenance() });
  if (exchange.method !== "HEAD") for await (const chunk of response.body as AsyncIterable<Buffer>) await exchange.write(chunk);
  else await response.body.dump();
  exchange.response.end();
}

async function pump(
  exchange: Exchange,
  response: RegistryResponse,
  { gate, skipBytes, mostBytes }: { gate: DigestGate; skipBytes: number; mostBytes?: number },
): Promise<void> {
  let skip = skipBytes;
  let left = mostBytes ?? Number.POSITIVE_INFINITY;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      const bytes = chunk.subarray(Math.min(skip, chunk.length)).subarray(0, left);
      skip -= Math.min(skip, chunk.length);
      left -= bytes.length;
      if (bytes.length === 0) continue;
      gate.pass(bytes);
      await exchange.write(bytes);
    }
  } catch (thrown) {
    if (thrown instanceof SkimmerError) throw thrown;
    exchange.signal.throwIfAborted();
    throw new SkimmerError("origin_failed", `the registry broke off: ${(thrown as Error).message}`, { retriable: true, cause: thrown });
  }
}

interface Place {
  readonly firstByte: number;
  readonly totalBytes: number;
  readonly bodyBytes: number | undefined;
}

/** Where the body's bytes are in the blob; undefined: a part without a place. */
function placeOf({ status, headers }: RegistryResponse): Place | undefined {
  const length = /^\d{1,15}$/.test(String(headers["content-length"])) ? Number(headers["content-length"]) : undefined;
  if (status !== 206) return { firstByte: 0, totalBytes: length ?? Number.POSITIVE_INFINITY, bodyBytes: length };
  const [, first, last, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(String(headers["content-range"])) ?? [];
  const [firstByte, lastByte, totalBytes] = [Number(first), Number(last), Number(total)];
  return firstByte <= lastByte && lastByte < totalBytes ? { firstByte, totalBytes, bodyBytes: lastByte - firstByte + 1 } : undefined;
}

function directHeaders({ digest }: BlobTarget, { headers }: RegistryResponse): Record<string, string> {
  const type = headers["content-type"];
  return { ...blobHeaders(digest), ...(typeof type === "string" ? { "content-type": type } : {}) };
}

function lengthHeaders({ headers }: RegistryResponse): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ["content-length", "content-range"]) {
    const value = headers[name];
    if (typeof value === "string") kept[name] = value;
  }
  return kept;
}

function cutOff({ digest }: BlobTarget, at: number): SkimmerError {
  return new SkimmerError("origin_failed", `the registry ended ${digest} after ${at} bytes`, { retriable: true });
}
