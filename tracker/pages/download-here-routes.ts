/**
 * What the task page's part "download here" asks for: webtorrent's bundle, and who serves browsers. Handlers parse, call, format.
 */
import type Router from "@koa/router";
import { SkimmerError } from "../../system/errors.ts";
import type { BrowserCalls } from "../browser-calls.ts";
import { webtorrentBundle } from "./webtorrent-bundle.ts";

/** Adds the routes; ahead of those of the page, whose assets are from a folder. */
export function addDownloadHereRoutes(router: Router, { browsers }: { readonly browsers: BrowserCalls }): void {
  router.get("/assets/webtorrent.js", async (context) => {
    const asset = await webtorrentBundle();
    if (asset === undefined) throw new SkimmerError("not_found", "the package webtorrent is not installed at the supernode");
    context.set({ "cache-control": "no-cache", "x-content-type-options": "nosniff", etag: asset.etag });
    context.type = asset.type;
    if (context.fresh) context.status = 304;
    else context.body = asset.body;
  });
  router.get("/api/v1/tasks/:id/browsers", async (context) => {
    const seeders = context.query.call === "false" ? 0 : await browsers.call(String(context.params.id));
    const bundle = await webtorrentBundle();
    context.set("cache-control", "no-store");
    context.body = { bundle: bundle !== undefined, seeders };
  });
}
