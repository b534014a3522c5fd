/**
 * HTTP routes of the seeders' caches and limits. Handlers parse, call, format.
 */
import type { IncomingMessage } from "node:http";
import type Router from "@koa/router";
import { fieldReader } from "../torrents/parse-fields.ts";
import { parseSeederLimits } from "../torrents/parse-limits.ts";
import { parseGcTarget } from "../torrents/parse-link-message.ts";
import type { CacheService } from "./cache-service.ts";
import type { TaskService } from "./task-service.ts";

const read = fieldReader("bad_request", "gc request");

export interface CacheRouteOptions {
  readonly cache: CacheService;
  readonly service: TaskService;
  readJson(request: IncomingMessage): Promise<unknown>;
}

/** Adds the routes. */
export function addCacheRoutes(router: Router, { cache, service, readJson }: CacheRouteOptions): void {
  router.get("/api/v1/cache", async (context) => {
    context.body = await cache.list();
  });
  router.post("/api/v1/cache/gc", async (context) => {
    context.body = await cache.collect(parseGcTarget(read.object(await readJson(context.req), "body").to));
  });
  for (const [method, pinned] of [
    ["put", true],
    ["delete", false],
  ] as const) {
    router[method]("/api/v1/tasks/:id/pin", async (context) => {
      await cache.pin(service.find(context.params.id), pinned);
      context.status = 204;
    });
  }
  router.get("/api/v1/limits", async (context) => {
    context.body = await cache.limits();
  });
  router.put("/api/v1/limits", async (context) => {
    context.body = await cache.limits(parseSeederLimits(await readJson(context.req)));
  });
}
