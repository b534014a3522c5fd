/**
 * The HTTP face: koa routes around TaskService, and the mounted tracker. Handlers parse, call, format.
 */
import type { IncomingMessage } from "node:http";
import Router from "@koa/router";
import Koa from "koa";
import { plainAddress } from "../system/addresses.ts";
import { realClock } from "../system/clock.ts";
import { type ErrorCode, SkimmerError, toSkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import { deniedError, Reach } from "../system/reach.ts";
import { parseInfoV2 } from "../torrents/final-torrents.ts";
import { webSeedOfV2 } from "../torrents/origin-web-seed.ts";
import { parseTaskRequest } from "../torrents/parse-task-request.ts";
import { magnetLink, torrentFile } from "../torrents/torrent-file.ts";
import type { AccessGuard } from "./access/access-guard.ts";
import type { AuditLog } from "./access/audit-log.ts";
import { identityOf } from "./access/scopes.ts";
import type { HostClaims } from "./announce/host-claims.ts";
import type { BrowserCalls } from "./browser-calls.ts";
import { addCacheRoutes } from "./cache-routes.ts";
import type { CacheService } from "./cache-service.ts";
import { addConnectBackRoute } from "./connect-back.ts";
import type { SupernodeMetrics } from "./metrics.ts";
import { OPENAPI } from "./openapi.ts";
import { addDownloadHereRoutes } from "./pages/download-here-routes.ts";
import { addPageRoutes } from "./pages/page-routes.ts";
import type { Pages } from "./pages/pages.ts";
import type { PeerStanding } from "./peer-standing.ts";
import { addPreheatRoutes, type WebhookOptions } from "./preheat/preheat-routes.ts";
import type { PreheatService } from "./preheat/preheat-service.ts";
import { addReportRoutes } from "./report-routes.ts";
import type { SwarmStore } from "./swarm/swarm-store.ts";
import type { FinalTask, TaskService } from "./task-service.ts";
import type { TrackerServer } from "./tracker-server.ts";

const MOST_BODY_BYTES = 1024 * 1024;
const RETRY_SECONDS = "2";

export interface ApiOptions {
  readonly service: TaskService;
  readonly swarms: SwarmStore;
  readonly standing: PeerStanding;
  readonly claims: HostClaims;
  readonly cache: CacheService;
  readonly tracker: TrackerServer;
  readonly logger: Logger;
  readonly guard: AccessGuard;
  readonly audit: AuditLog;
  readonly preheats: PreheatService;
  readonly webhooks: WebhookOptions;
  readonly metrics: SupernodeMetrics;
  readonly pages: Pages;
  readonly browsers: BrowserCalls;
  /** Where what callers name may lead; absent: the defaults. */
  readonly reach: Reach | undefined;
  /** Host in tracker URLs; undefined: the one that the caller used. */
  readonly advertise: string | undefined;
  /** The UDP tracker is there. */
  readonly udp: boolean;
  health(): { ready: boolean; seeders: number; tasks: number };
}

/** Builds the koa application. */
export function makeApi(options: ApiOptions): Koa {
  const app = new Koa();
  app.silent = true;
  app.use(options.metrics.middleware);
  app.use(options.guard.auditor);
  app.use(errorBody(options.logger));
  app.use(mountTracker(options.tracker));
  app.use(options.guard.middleware);
  const router = makeRouter(options);
  app.use(router.routes());
  app.use(() => {
    throw new SkimmerError("not_found", "no such path", { hint: "See /api/v1/openapi.json for what there is." });
  });
  return app;
}

function makeRouter(options: ApiOptions): Router {
  const reach = options.reach ?? new Reach({ allow: [], deny: [] });
  const { service } = options;
  const router = new Router();
  router.get("/healthz", (context) => {
    const health = options.health();
    context.status = health.ready ? 200 : 503;
    context.body = health;
  });
  router.get("/metrics", async (context) => {
    const { registry } = options.metrics;
    context.type = registry.contentType;
    context.body = await registry.metrics();
  });
  router.get("/api/v1/openapi.json", (context) => {
    context.body = OPENAPI;
  });
  router.get("/api/v1/audit", async (context) => {
    context.body = { entries: await options.audit.latest(readPage(context.query).limit) };
  });
  router.post("/api/v1/tasks", async (context) => {
    const asked = parseTaskRequest(await readJson(context.req));
    const { onThisMachine } = identityOf(context);
    const { peer } = asked;
    if (peer?.host !== undefined && !reach.allows(peer.host, { loopback: onThisMachine })) throw deniedError(peer.host);
    const request = { ...asked, ...(onThisMachine && { loopback: true }) };
    context.body = await service.register(request, { ip: callerIp(context), trackers: trackersFor(context, options) });
  });
  router.get("/api/v1/tasks", (context) => {
    context.body = { tasks: service.list(readPage(context.query)) };
  });
  router.get("/api/v1/tasks/:id", (context) => {
    context.body = service.get(context.params.id);
  });
  router.get("/api/v1/tasks/:id/torrent", (context) => {
    const task = service.finalTask(context.params.id);
    const version = readVersion(context.query.version);
    context.type = "application/x-bittorrent";
    context.attachment(`${task.name}${version === 2 ? ".v2" : ""}.torrent`);
    context.body = makeTorrent(task, version, trackersFor(context, options));
  });
  router.get("/api/v1/tasks/:id/magnet", (context) => {
    const task = service.finalTask(context.params.id);
    const infoV1 = Buffer.from(task.final.infoV1, "base64");
    const infoV2 = Buffer.from(task.final.infoV2, "base64");
    const which = context.query.version === undefined ? { infoV1 } : readVersion(context.query.version) === 2 ? { infoV2 } : { infoV1 };
    context.type = "text/plain; charset=utf-8";
    context.body = `${magnetLink({ name: task.name, ...which, trackers: trackersFor(context, options), webSeeds: webSeedsOf(task) })}\n`;
  });
  router.delete("/api/v1/tasks/:id", async (context) => {
    await service.delete(context.params.id);
    context.status = 204;
  });
  addCacheRoutes(router, { cache: options.cache, service, readJson });
  addConnectBackRoute(router, { readJson, reach });
  addDownloadHereRoutes(router, { browsers: options.browsers });
  addPageRoutes(router, { pages: options.pages, readJson });
  addReportRoutes(router, { swarms: options.swarms, standing: options.standing, claims: options.claims, clock: realClock, readJson });
  addPreheatRoutes(router, { preheats: options.preheats, webhooks: options.webhooks, readJson, readPage });
  return router;
}

function mountTracker(tracker: TrackerServer): Koa.Middleware {
  return async (context, next) => {
    const isTrackers = /^\/(announce|scrape)(\/|$)/.test(context.path);
    if (!isTrackers || (context.method !== "GET" && context.method !== "HEAD")) return next();
    // the tracker's answers count as announces
    context.state.uncounted = true;
    context.type = "text/plain";
    context.body = Buffer.from(tracker.http.answerTarget(context.url, callerIp(context)), "latin1");
  };
}

function makeTorrent(task: FinalTask, version: 1 | 2, trackers: readonly string[]): Buffer {
  const webSeeds = webSeedsOf(task);
  if (version === 1) return torrentFile({ trackers, webSeeds, info: Buffer.from(task.final.infoV1, "base64") });
  const common = { trackers, webSeeds: webSeeds.map((url) => webSeedOfV2(url, task.name)) };
  const info = Buffer.from(task.final.infoV2, "base64");
  const { piecesRoot, geometry } = parseInfoV2(info);
  const layered = piecesRoot !== undefined && geometry.pieceCount > 1;
  return torrentFile({
    ...common,
    info,
    layers: layered ? [{ piecesRoot, hashes: Buffer.from(task.final.pieceLayer, "base64") }] : undefined,
  });
}

function webSeedsOf({ webSeed }: Pick<FinalTask, "webSeed">): readonly string[] {
  return webSeed === undefined ? [] : [webSeed];
}

const STATUS_OF: Partial<Record<ErrorCode, number>> = {
  bad_request: 400,
  unsupported_scheme: 400,
  unauthorized: 401,
  forbidden: 403,
  body_too_long: 413,
  rate_limited: 429,
  origin_refused: 403,
  origin_not_found: 404,
  not_found: 404,
  not_final: 409,
  origin_changed: 409,
  origin_unreachable: 502,
  origin_failed: 502,
  digest_mismatch: 502,
  no_seeder: 503,
  busy: 503,
  disk_full: 507,
  timeout: 504,
};

/** Every failure as `{error:{code,message,hint}}`. */
function errorBody(logger: Logger): Koa.Middleware {
  return async (context, next) => {
    try {
      await next();
    } catch (thrown) {
      const error = toSkimmerError(thrown);
      const status = STATUS_OF[error.code] ?? 500;
      if (status === 500) logger.error({ err: error.stack ?? error.message, path: context.path }, "request failed");
      context.status = status;
      if ((error.retriable || status === 409) && !context.res.hasHeader("retry-after")) context.set("retry-after", RETRY_SECONDS);
      // what is left of the body is not read: who sends for ever is cut off
      if (!context.req.complete) context.set("connection", "close");
      context.body = { error: { code: error.code, message: error.message, hint: error.hint, status: error.status } };
    }
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BODY_BYTES) throw new SkimmerError("body_too_long", `the body is longer than ${MOST_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new SkimmerError("bad_request", "the body is not JSON");
  }
}

function callerIp(context: Koa.Context): string {
  return plainAddress(context.req.socket.remoteAddress ?? "");
}

function trackersFor(context: Koa.Context, options: ApiOptions): string[] {
  const port = context.req.socket.localPort ?? 0;
  const own = context.req.socket.localAddress ?? "127.0.0.1";
  const name =
    options.advertise ?? (URL.canParse(`http://${context.host}`) ? new URL(`http://${context.host}`).hostname : plainAddress(own));
  const host = name.includes(":") && !name.startsWith("[") ? `[${name}]` : name;
  const http = `http://${host}:${port}/announce`;
  return options.udp ? [http, `udp://${host}:${port}/announce`] : [http];
}

function readPage(query: Koa.Context["query"]): { limit: number; offset: number } {
  const limit = readCount(query.limit, 100);
  return { limit: Math.min(1000, limit), offset: readCount(query.offset, 0) };
}

function readCount(value: string | string[] | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value === "string" && /^\d{1,9}$/.test(value)) return Number(value);
  throw new SkimmerError("bad_request", `"${String(value).slice(0, 40)}" is not a count`);
}

function readVersion(value: string | string[] | undefined): 1 | 2 {
  if (value === undefined || value === "1") return 1;
  if (value === "2") return 2;
  throw new SkimmerError("bad_request", `there is no torrent version "${String(value).slice(0, 40)}"`, {
    hint: "Use version=1 or version=2.",
  });
}
