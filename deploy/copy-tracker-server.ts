/**
 * Part of `npm run build`: puts bittorrent-tracker's server, and the few small packages that it needs, into
 * dist/node_modules, and so into the packed package. As a dependency it would bring its WebRTC client along, whose native
 * module is compiled or fetched from GitHub by an install script: an install behind a firewall would fail for code that
 * the supernode never runs.
 */
import { cpSync, existsSync, globSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";

const PACKAGE = join("node_modules", "bittorrent-tracker");
const PARTS = ["package.json", "LICENSE", "server.js", "lib/common.js", "lib/common-node.js", "lib/server"];
const IMPORT = /(?:from|import)\s+["']([^."'][^"']*)["']/g;
const { dependencies: ours } = readPackage(".");
const copied = new Set<string>();

for (const part of PARTS) cpSync(join(PACKAGE, part), join("dist", PACKAGE, part), { recursive: true });
const sources = globSync(["server.js", "lib/common*.js", "lib/server/*.js"].map((pattern) => join(PACKAGE, pattern)));
for (const source of sources) {
  for (const [, name] of readFileSync(source, "utf8").matchAll(IMPORT)) copyPackage(name, PACKAGE);
}
process.stdout.write(`copied bittorrent-tracker/server with ${copied.size} packages\n`);

/** Copies a package and what it depends on, keeping their places, so that each finds the version that it found here. */
function copyPackage(name: string, importer: string): void {
  if (isBuiltin(name) || name in ours) return;
  const folder = find(name, importer);
  if (copied.has(folder)) return;
  copied.add(folder);
  cpSync(folder, join("dist", folder), { recursive: true, filter: (path) => !/[/\\](test|tests|\.github)$/.test(path) });
  for (const needed of Object.keys(readPackage(folder).dependencies ?? {})) copyPackage(needed, folder);
}

/** Where Node finds the package from that folder. */
function find(name: string, importer: string): string {
  for (let folder = importer; ; folder = dirname(folder)) {
    const found = join(folder, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return found;
    if (folder === ".") throw new Error(`${importer} needs ${name}, which is not installed`);
  }
}

function readPackage(folder: string): { dependencies: Record<string, string> } {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}
