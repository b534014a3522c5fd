import { execFileSync, spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { dropFromPageCache, isVeryLarge } from "../../../seeder/page-cache.ts";
import { temporaryFolder } from "../../support/folders.ts";

const hasTools = ["fincore", "dd"].every((tool) => spawnSync(tool, ["--version"]).status === 0);

function cachedPages(path: string): number {
  return Number(execFileSync("fincore", ["--noheadings", "--output", "PAGES", path], { encoding: "utf8" }));
}

(hasTools ? test : test.skip)("dropFromPageCache() leaves none of the file in memory, and all of it on disk", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "data");
  const content = Buffer.alloc(8 * 1024 * 1024, "skimmer");
  await writeFile(path, content);
  if (cachedPages(path) === 0) return t.pass("this file system keeps nothing in memory");
  await dropFromPageCache(path);
  t.is(cachedPages(path), 0);
  t.true((await readFile(path)).equals(content));
});

test("isVeryLarge(): more than a quarter of the memory", (t) => {
  t.false(isVeryLarge(256, 1024));
  t.true(isVeryLarge(257, 1024));
});
