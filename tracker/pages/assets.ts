/**
 * Scripts, styles and pictures of the page, from the folder `browser` beside this file. Drives: reads them once.
 *
 * In a checkout the scripts are TypeScript, served with their types stripped, under their own names (`./live.ts`); in the package they are what
 * the build made of them (`./live.js`). Invariant: nothing but what the folder held at the first request is served.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
  /** Changes with the body. */
  readonly etag: string;
}

const FOLDER = fileURLToPath(new URL("browser/", import.meta.url));
/** What this file is called by itself says how scripts are. */
export const SCRIPT_ENDING = import.meta.url.endsWith(".ts") ? "ts" : "js";
const NAME = /^[a-z0-9-]+\.(ts|js|css|svg)$/;
const TYPES: Readonly<Record<string, string>> = {
  ts: "text/javascript; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

let assets: Promise<ReadonlyMap<string, Asset>> | undefined;

/** Undefined: there is none of that name. */
export async function findAsset(name: string): Promise<Asset | undefined> {
  assets ??= readAssets();
  return (await assets).get(name);
}

async function readAssets(): Promise<ReadonlyMap<string, Asset>> {
  const names = (await readdir(FOLDER)).filter((name) => NAME.test(name));
  return new Map(await Promise.all(names.map(async (name) => [name, await readAsset(name)] as const)));
}

async function readAsset(name: string): Promise<Asset> {
  const bytes = await readFile(FOLDER + name);
  const body = name.endsWith(".ts") ? Buffer.from(stripTypes(bytes.toString("utf8"))) : bytes;
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  return { type: TYPES[name.slice(name.lastIndexOf(".") + 1)], body, etag };
}

/** Node strips our own types without a word, and warns of the same as a function: once is too often in a log of JSON lines. */
function stripTypes(source: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}
