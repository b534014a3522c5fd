/**
 * Part of `npm run build`: puts the stats page's scripts, types stripped, and its styles and pictures into dist/, where tracker/pages/assets.ts
 * serves them from. They are compiled for the browser apart from the rest, which has no DOM.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join("tracker", "pages", "browser");
const TARGET = join("dist", FOLDER);
const COMPILER = join("node_modules", "typescript", "bin", "tsc");

const flags = ["--noEmit", "false", "--allowImportingTsExtensions", "false", "--rootDir", ".", "--outDir", "dist"];
execFileSync(process.execPath, [COMPILER, "-p", FOLDER, ...flags], { stdio: "inherit" });
mkdirSync(TARGET, { recursive: true });
const plain = readdirSync(FOLDER).filter((name) => /\.(css|svg)$/.test(name));
for (const name of plain) copyFileSync(join(FOLDER, name), join(TARGET, name));
process.stdout.write(`copied ${plain.length} assets of the stats page\n`);
