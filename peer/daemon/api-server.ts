/**
 * The daemon's HTTP API on its Unix socket (daemon-api.ts). Drives; a table of routes and no framework, because its
 * start-up time is part of every first dfget.
 * Every body is bounded; a client that goes away cancels its download; a slow reader misses progress, never the end.
 */
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { SkimmerError, toSkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import { type InfoHash, parseInfoHash } from "../../torrents/ids.ts";
import type { ApiErrorBody } from "../../torrents/task-api.ts";
import {
  type DaemonInfo,
  type DataEvent,
  type DownloadEvent,
  type DownloadRequest,
  type ErrorEvent,
  type HostLimits,
  type ListRequest,
  MAX_BODY_BYTES,
  PROGRESS_INTERVAL_MS,
  type SeedRequest,
  type SeedResult,
  type TaskDetail,
  type TaskRow,
  type TorrentListing,
  type TorrentWish,
} from "./daemon-api.ts";
import { parseDownloadRequest } from "./parse-download-request.ts";
import { parseLimits, parseListing, parseSeed, parseTorrentWish } from "./parse-small-requests.ts";
import type { ContentSink } from "./stream-content.ts";
import type { Viewer } from "./torrent-places.ts";

/** Ways to the caller of a download. */
export interface DownloadIo {
  readonly signal: AbortSignal;
  readonly emit: (event: DownloadEvent) => void;
  readonly sink?: ContentSink;
}

/** What the API can ask of the daemon. */
export interface ApiTarget {
  download(request: DownloadRequest, io: DownloadIo): Promise<DownloadEvent>;
  tasks(viewer: Viewer): TaskRow[];
  task(infoHash: InfoHash, viewer: Viewer): TaskDetail | undefined;
  info(): DaemonInfo;
  limits(): Required<HostLimits>;
  setLimits(change: HostLimits): void;
  seed(request: SeedRequest, options: { signal: AbortSignal }): Promise<SeedResult>;
  describeTorrent(wish: TorrentWish, options: { viewer: Viewer; signal: AbortSignal }): Promise<TorrentListing>;
  list(request: ListRequest, options: { signal: AbortSignal }): Promise<unknown>;
  /** False where there is no such task. */
  removeTask(infoHash: InfoHash): Promise<boolean>;
  /** Begins to stop; returns at once. */
  stop(): void;
}

const STATUS_OF: Readonly<Record<string, number>> = {
  bad_request: 400,
  unsupported_scheme: 400,
  unauthorized: 403,
  not_found: 404,
  internal: 500,
};
const HEADERS_TIMEOUT_MS = 10_000;

/** A server that is not listening yet. `everybody`: others than the daemon's own user come, who may download and look. */
export function makeApiServer(target: ApiTarget, logger: Logger, { everybody = false } = {}): http.Server {
  const server = http.createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: HEADERS_TIMEOUT_MS, noDelay: true },
    (request, response) => {
      const call = { request, response, viewer: viewerOf(request, { isOwner: !everybody }) };
      const routed = everybody ? routeForEverybody(target, call) : route(target, call);
      routed.catch((thrown: unknown) => {
        const error = toSkimmerError(thrown);
        if (error.code === "internal") logger.error({ err: thrown, method: request.method }, "request failed");
        if (response.headersSent) response.destroy();
        else sendError(response, error);
      });
    },
  );
  server.timeout = 0;
  return server;
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly viewer: Viewer;
}

/** A Unix socket does not tell Node who calls: what a member of the group may see goes by what he knows. */
function viewerOf({ url = "/" }: IncomingMessage, { isOwner }: { isOwner: boolean }): Viewer {
  const at = url.indexOf("?");
  return { isOwner, url: at < 0 ? undefined : (new URLSearchParams(url.slice(at)).get("url") ?? undefined) };
}

/** What reads, and downloads, which are the caller's own. */
const FOR_EVERYBODY: ReadonlySet<string> = new Set(["POST /v1/downloads", "POST /v1/listings", "POST /v1/seeds", "POST /v1/torrents"]);

async function routeForEverybody(target: ApiTarget, call: Call): Promise<void> {
  const { request } = call;
  const path = (request.url ?? "/").split("?", 1)[0];
  if (request.method === "GET" || FOR_EVERYBODY.has(`${request.method} ${path}`)) return route(target, call);
  throw new SkimmerError("unauthorized", "only the daemon's own user may change its rates, remove its tasks or stop it", {
    hint: "Run the command as that user, or as root.",
  });
}

async function route(target: ApiTarget, call: Call): Promise<void> {
  const { request, response, viewer } = call;
  const path = (request.url ?? "/").split("?", 1)[0];
  const name = `${request.method} ${path}`;
  if (name === "POST /v1/downloads") return download(target, request, response);
  if (name === "GET /v1/info") return send(response, 200, target.info());
  if (name === "GET /v1/tasks") return send(response, 200, { tasks: target.tasks(viewer) });
  if (name === "POST /v1/stop") {
    send(response, 202, { stopping: true });
    response.once("close", () => target.stop());
    return;
  }
  if (name === "GET /v1/limits") return send(response, 200, target.limits());
  if (name === "PUT /v1/limits") {
    target.setLimits(parseLimits(await readJson(request)));
    return send(response, 200, target.limits());
  }
  if (name === "POST /v1/seeds") return send(response, 200, await target.seed(parseSeed(await readJson(request)), whileOpen(response)));
  if (name === "POST /v1/torrents")
    return send(response, 200, await target.describeTorrent(parseTorrentWish(await readJson(request)), { viewer, ...whileOpen(response) }));
  if (name === "POST /v1/listings")
    return send(response, 200, await target.list(parseListing(await readJson(request)), whileOpen(response)));
  if (path.startsWith("/v1/tasks/")) return routeTask(target, path.slice("/v1/tasks/".length), call);
  throw new SkimmerError("not_found", `there is no ${name}`);
}

async function routeTask(target: ApiTarget, hash: string, { request: { method }, response, viewer }: Call): Promise<void> {
  const infoHash = parseInfoHash(hash);
  if (infoHash === undefined) throw new SkimmerError("bad_request", "the task is named by 40 hexadecimal digits");
  const unknown = new SkimmerError("not_found", `this host has no task ${infoHash}`, { hint: "dfget ls shows those that it has." });
  if (method === "GET") {
    const found = target.task(infoHash, viewer);
    if (found === undefined) throw unknown;
    return send(response, 200, found);
  }
  if (method !== "DELETE") throw new SkimmerError("not_found", `there is no ${method} for tasks`);
  if (!(await target.removeTask(infoHash))) throw unknown;
  send(response, 200, { removed: infoHash });
}

/** Aborts when the caller goes away before the answer. */
function whileOpen(response: ServerResponse): { signal: AbortSignal } {
  const gone = new AbortController();
  response.once("close", () => gone.abort(new SkimmerError("cancelled", "the caller went away")));
  return { signal: gone.signal };
}

async function download(target: ApiTarget, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const wanted = parseDownloadRequest(await readJson(request));
  const cancel = new AbortController();
  response.once("close", () => cancel.abort(new SkimmerError("cancelled", "the caller went away")));
  const signals = [cancel.signal, ...(wanted.timeoutMs > 0 ? [timeoutSignal(wanted.timeoutMs, cancel.signal)] : [])];
  response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
  const io = { signal: AbortSignal.any(signals), emit: eventWriter(response), ...(wanted.stream && { sink: contentWriter(response) }) };
  const last = await target.download(wanted, io).catch(errorEvent);
  if (!response.destroyed) response.end(line(last));
}

/** Writes events as they come; progress is left out while the reader is behind or the last one is fresh. */
function eventWriter(response: ServerResponse): (event: DownloadEvent) => void {
  let progressAtMs = Number.NEGATIVE_INFINITY;
  return (event) => {
    if (response.destroyed || response.writableEnded) return;
    if (event.event === "progress") {
      const nowMs = performance.now();
      if (response.writableNeedDrain || nowMs - progressAtMs < PROGRESS_INTERVAL_MS * 0.9) return;
      progressAtMs = nowMs;
    }
    response.write(line(event));
  };
}

/** Writes content behind `data` events; resolves when the caller has taken it. */
function contentWriter(response: ServerResponse): ContentSink {
  return async (bytes) => {
    if (response.destroyed) throw new SkimmerError("cancelled", "the caller went away");
    const event: DataEvent = { event: "data", length: bytes.length };
    // no cork(): a corked answer that is flushed at once never says `drain` (seen with Node 24)
    response.write(line(event));
    if (response.write(bytes)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    response.once("drain", resolve).once("close", resolve);
    await promise;
    response.off("drain", resolve).off("close", resolve);
  };
}

function timeoutSignal(timeoutMs: number, until: AbortSignal): AbortSignal {
  const control = new AbortController();
  const timer = setTimeout(
    () => control.abort(new SkimmerError("timeout", `the download took longer than ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  until.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return control.signal;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new SkimmerError("bad_request", `the body is longer than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks, length).toString("utf8"));
  } catch (cause) {
    throw new SkimmerError("bad_request", "the body is not JSON", { cause });
  }
}

/** A failure as the event that ends a download. */
export function errorEvent(thrown: unknown): ErrorEvent {
  const { code, message, hint, status } = toSkimmerError(thrown);
  return { event: "error", code, message, ...(hint === undefined ? {} : { hint }), ...(status === undefined ? {} : { status }) };
}

function sendError(response: ServerResponse, error: SkimmerError): void {
  const { code, message, hint, status } = error;
  const body: ApiErrorBody = { error: { code, message, hint, status } };
  send(response, STATUS_OF[error.code] ?? 500, body);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(line(body));
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
