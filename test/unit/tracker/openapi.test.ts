import type Router from "@koa/router";
import test from "ava";
import { silentLogger } from "../../../system/logger.ts";
import { type ApiOptions, makeApi } from "../../../tracker/api.ts";
import { OPENAPI } from "../../../tracker/openapi.ts";

/** `METHOD /path` of every route of the koa application. */
function routesOf(app: ReturnType<typeof makeApi>): string[] {
  const routers = app.middleware.flatMap((middleware) => (middleware as { router?: Router }).router ?? []);
  return routers.flatMap(({ stack }) =>
    stack.flatMap(({ methods, path }) => methods.filter((method) => method !== "HEAD").map((method) => `${method} ${String(path)}`)),
  );
}

/** Served by the tracker, in front of the router. */
const MOUNTED = ["GET /announce", "GET /scrape"];

test("OPENAPI describes the routes, each of them and no others", (t) => {
  const app = makeApi({
    logger: silentLogger,
    metrics: { middleware: () => undefined },
    guard: { middleware: () => undefined, auditor: () => undefined },
  } as unknown as ApiOptions);
  const described = Object.entries(OPENAPI.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`),
  );
  const routes = [...routesOf(app), ...MOUNTED];
  t.true(routes.length > MOUNTED.length);
  t.deepEqual(described.sort(), routes.sort());
});

test("OPENAPI names each path parameter, and refers to schemas that are there", (t) => {
  for (const [path, operations] of Object.entries(OPENAPI.paths)) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    for (const { parameters = [] } of Object.values(operations) as { parameters?: { in: string; name: string }[] }[]) {
      t.deepEqual(
        parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name),
        names,
      );
    }
  }
  for (const [, name] of JSON.stringify(OPENAPI).matchAll(/#\/components\/schemas\/(\w+)/g))
    t.true(name in OPENAPI.components.schemas, name);
});
