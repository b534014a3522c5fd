/**
 * HTTP routes of the stats page: documents, assets, views as JSON or, for who accepts them, as server-sent events; and the reports of hosts.
 * Handlers parse, call, format. All of it needs the scope `read`, a host's report `download` (access/scopes.ts).
 */
import type { IncomingMessage } from "node:http";
import type Router from "@koa/router";
import type Koa from "koa";
import { plainAddress } from "../../system/addresses.ts";
import { SkimmerError } from "../../system/errors.ts";
import { parseHostReport } from "../../torrents/parse-host-report.ts";
import { shownUrl } from "../../torrents/shown-url.ts";
import { identityOf, mayReadPrivateNames } from "../access/scopes.ts";
import type { TaskRow as KnownTask } from "../task-table.ts";
import { findAsset } from "./assets.ts";
import type { View } from "./browser/shapes.ts";
import { bansView, HOST_SORTS, hostsView, seedersView } from "./list-views.ts";
import { overviewView, TASK_SORTS } from "./overview-view.ts";
import { bansBody, hostsBody, missingBody, overviewBody, seedersBody, taskBody } from "./page-bodies.ts";
import { type PageQuery, queryKey, readPageQuery } from "./page-query.ts";
import { CONTENT_SECURITY_POLICY, pageShell, type Shell } from "./page-shell.ts";
import type { Pages } from "./pages.ts";
import { PEER_SORTS, taskView } from "./task-view.ts";
import type { Viewer } from "./view-parts.ts";

export interface PageRouteOptions {
  readonly pages: Pages;
  readonly readJson: (request: IncomingMessage) => Promise<unknown>;
}

/** Adds the routes. */
export function addPageRoutes(router: Router, { pages, readJson }: PageRouteOptions): void {
  addDocuments(router, pages);
  addViews(router, pages);
  router.get("/assets/:name", async (context) => {
    const asset = await findAsset(String(context.params.name));
    if (asset === undefined) throw new SkimmerError("not_found", "no such asset");
    context.set({ "cache-control": "no-cache", "x-content-type-options": "nosniff", etag: asset.etag });
    context.type = asset.type;
    context.status = 200;
    if (context.fresh) context.status = 304;
    else context.body = asset.body;
  });
  router.post("/api/v1/host-reports", async (context) => {
    const report = parseHostReport(await readJson(context.req));
    context.body = pages.takeReport(report, addressOf(context));
  });
}

function addDocuments(router: Router, pages: Pages): void {
  const documents: readonly Shell[] = [
    { at: "/", title: "Overview", page: "overview", main: overviewBody() },
    { at: "/hosts", title: "Hosts", page: "hosts", main: hostsBody() },
    { at: "/seeders", title: "Seeders", page: "seeders", main: seedersBody() },
    { at: "/bans", title: "Bans", page: "bans", main: bansBody() },
  ];
  for (const document of documents) router.get(document.at, (context) => sendDocument(context, document));
  router.get("/tasks/:id", (context) => {
    const row = findTask(pages, context);
    if (row === undefined) {
      context.status = 404;
      return sendDocument(context, {
        at: "",
        title: "Not here",
        page: "none",
        main: missingBody("There is no such task, or it is private."),
      });
    }
    const { id, name, url } = row.task;
    sendDocument(context, { at: "", title: name, page: "task", main: taskBody({ id, name, url: shownUrl(url) }) });
  });
}

function addViews(router: Router, pages: Pages): void {
  const add = (path: string, sorts: readonly string[], make: (query: PageQuery, viewer: Viewer) => View): void => {
    router.get(path, (context) => answerView(context, pages, { sorts, make }));
  };
  add("/api/v1/stats", TASK_SORTS, (query, viewer) => overviewView(pages.parts, query, viewer));
  add("/api/v1/stats/hosts", HOST_SORTS, (query, viewer) => hostsView(pages.parts, query, viewer));
  add("/api/v1/stats/seeders", [""], (_query, viewer) => seedersView(pages.parts, viewer));
  add("/api/v1/stats/bans", [""], (query, viewer) => bansView(pages.parts, query, viewer));
  router.get("/api/v1/stats/tasks/:id", (context) => {
    const { id } = context.params;
    const make = (query: PageQuery, viewer: Viewer): View => {
      const row = findTask(pages, context);
      if (row === undefined) throw new SkimmerError("not_found", `no task ${String(id).slice(0, 80)}`);
      return taskView(pages.parts, row, query, viewer);
    };
    answerView(context, pages, { sorts: PEER_SORTS, make });
  });
}

/** The view itself, or a stream of it for who accepts one. */
function answerView(
  context: Koa.Context,
  pages: Pages,
  { sorts, make }: { readonly sorts: readonly string[]; readonly make: (query: PageQuery, viewer: Viewer) => View },
): void {
  const query = readPageQuery(context.query, sorts);
  const seesPrivate = mayReadPrivateNames(identityOf(context));
  const ask = {
    key: `${seesPrivate} ${context.path} ${queryKey(query)}`,
    make: (): View => make(query, { nowMs: pages.clock.nowMs(), seesPrivate }),
  };
  if (context.accepts("application/json", "text/event-stream") !== "text/event-stream") {
    context.set("cache-control", "no-store");
    context.body = pages.streams.show(ask);
    return;
  }
  pages.streams.listen(context.res, { ...ask, address: addressOf(context) });
  context.respond = false;
}

/** A private task exists for those only who may see it. */
function findTask({ parts }: Pages, context: Koa.Context & { params: Record<string, string> }): KnownTask | undefined {
  const row = parts.tasks.find(String(context.params.id).toLowerCase());
  return row?.task.private && !mayReadPrivateNames(identityOf(context)) ? undefined : row;
}

function sendDocument(context: Koa.Context, shell: Shell): void {
  context.set({
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
  });
  context.type = "text/html; charset=utf-8";
  context.body = pageShell(shell);
}

function addressOf(context: Koa.Context): string {
  return plainAddress(context.req.socket.remoteAddress ?? "");
}
