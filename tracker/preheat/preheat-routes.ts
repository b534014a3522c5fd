/**
 * HTTP routes of preheat: our own API, those of Dragonfly 1.0 and 2 that Harbor drives, and webhooks. Handlers parse, call, format.
 */
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type Router from "@koa/router";
import type Koa from "koa";
import { SkimmerError } from "../../system/errors.ts";
import { identityOf } from "../access/scopes.ts";
import { parsePreheat, parsePreheatV1, parsePreheatV2 } from "./parse-preheat.ts";
import { type Pushed, parseHarborEvent, parseRegistryNotification } from "./parse-webhook.ts";
import { describeJob, describeJobV1, describeJobV2, type PreheatSpec } from "./preheat-job.ts";
import type { PreheatService } from "./preheat-service.ts";

export interface WebhookOptions {
  /** What their `Authorization` must be, alone or after `Bearer`; undefined: anyone may send them. */
  readonly secret: string | undefined;
  /** Where the registry is that sends them; undefined: where it says. */
  readonly registry: string | undefined;
}

export interface PreheatRouteOptions {
  readonly preheats: PreheatService;
  readonly webhooks: WebhookOptions;
  readJson(request: IncomingMessage): Promise<unknown>;
  readPage(query: Koa.Context["query"]): { limit: number; offset: number };
}

/** Adds the routes. */
export function addPreheatRoutes(router: Router, options: PreheatRouteOptions): void {
  addOwnRoutes(router, options);
  addDragonflyRoutes(router, options);
  addWebhooks(router, options);
}

function addOwnRoutes(router: Router, { preheats, readJson, readPage }: PreheatRouteOptions): void {
  router.post("/api/v1/preheats", async (context) => {
    const job = await preheats.create(forCaller(context, parsePreheat(await readJson(context.req))));
    context.status = 201;
    context.set("location", `/api/v1/preheats/${job.id}`);
    context.body = describeJob(job);
  });
  router.get("/api/v1/preheats", (context) => {
    context.body = { preheats: preheats.list(readPage(context.query)).map(describeJob) };
  });
  router.get("/api/v1/preheats/:id", (context) => {
    context.body = describeJob(preheats.get(context.params.id));
  });
  router.delete("/api/v1/preheats/:id", async (context) => {
    await preheats.delete(context.params.id);
    context.status = 204;
  });
}

/** Version 1.0 of 2019, as Harbor 2.0 to 2.10 speak it, and the open API of version 2, as later ones do. */
function addDragonflyRoutes(router: Router, { preheats, readJson, readPage }: PreheatRouteOptions): void {
  for (const path of ["/_ping", "/healthy"]) {
    router.get(path, (context) => {
      context.body = "OK";
    });
  }
  router.post("/preheats", async (context) => {
    const job = await preheats.create(forCaller(context, parsePreheatV1(await readJson(context.req))));
    context.status = 201;
    context.body = { ID: job.id };
  });
  router.get("/preheats", (context) => {
    context.body = preheats.list(readPage(context.query)).map(describeJobV1);
  });
  router.get("/preheats/:id", (context) => {
    context.body = describeJobV1(preheats.get(context.params.id));
  });
  router.delete("/preheats/:id", async (context) => {
    await preheats.delete(context.params.id);
    context.body = true;
  });
  router.post("/oapi/v1/jobs", async (context) => {
    context.body = describeJobV2(await preheats.create(forCaller(context, parsePreheatV2(await readJson(context.req)))));
  });
  router.get("/oapi/v1/jobs/:id", (context) => {
    context.body = describeJobV2(preheats.get(context.params.id));
  });
}

function addWebhooks(router: Router, { preheats, webhooks, readJson }: PreheatRouteOptions): void {
  const receive = (path: string, parse: (body: unknown, base: string | undefined) => Pushed[]): void => {
    router.post(path, async (context) => {
      checkSecret(context.get("authorization"), webhooks.secret);
      const pushed = parse(await readJson(context.req), webhooks.registry);
      const jobs = await Promise.all(pushed.map((one) => preheats.create(forCaller(context, specOf(one)))));
      context.status = 202;
      context.body = { preheats: jobs.map(({ id }) => id) };
    });
  };
  receive("/api/v1/webhooks/registry", parseRegistryNotification);
  receive("/api/v1/webhooks/harbor", parseHarborEvent);
}

/** Who is on this machine may have its loopback read. */
function forCaller(context: Koa.Context, spec: PreheatSpec): PreheatSpec {
  return identityOf(context).onThisMachine ? { ...spec, loopback: true } : spec;
}

function specOf({ kind, target }: Pushed): PreheatSpec {
  if (kind === "manifest") return { kind: "image", target, headers: {}, ownCredentials: true };
  const { base, repository, reference } = target;
  const digest = reference.startsWith("sha256:") ? reference : undefined;
  return { kind: "file", request: { url: `${base}/v2/${repository}/blobs/${reference}`, headers: {}, digest }, ownCredentials: true };
}

function checkSecret(given: string, secret: string | undefined): void {
  if (secret === undefined || isSame(given, secret) || isSame(given, `Bearer ${secret}`)) return;
  throw new SkimmerError("unauthorized", "the webhook's Authorization is not the one that this supernode expects", {
    hint: "Set it to the value of --webhook-secret in the registry.",
  });
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
