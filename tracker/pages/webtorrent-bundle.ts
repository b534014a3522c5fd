/**
 * webtorrent's browser bundle, from the webtorrent package where one is installed. Drives: reads it once.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Asset } from "./assets.ts";

let bundle: Promise<Asset | undefined> | undefined;

/** Undefined: the package is not there. */
export function webtorrentBundle(): Promise<Asset | undefined> {
  bundle ??= read().catch(() => undefined);
  return bundle;
}

async function read(): Promise<Asset> {
  const body = await readFile(fileURLToPath(new URL("dist/webtorrent.min.js", import.meta.resolve("webtorrent"))));
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  return { type: "text/javascript; charset=utf-8", body, etag };
}
