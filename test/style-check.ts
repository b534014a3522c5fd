/**
 * House rules that a machine can check (`npm run rules`): who imports whom, no circles, file lengths, no clocks or
 * randomness in files that decide. Prints each violation; exit code 1 where there is one.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/** The table of docs/architecture.md; the longest matching folder counts. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  system: [],
  torrents: ["system"],
  origin: ["torrents", "system"],
  registry: ["torrents", "system"],
  "peer/engine": ["torrents", "system"],
  "peer/webrtc": ["peer/engine", "torrents", "system"],
  "peer/discovery": ["peer/engine", "torrents", "system"],
  "peer/daemon": ["peer/engine", "peer/discovery", "peer/webrtc", "origin", "torrents", "system"],
  // mirror: only to run `dfget daemon`, which is dfdaemon
  "peer/dfget": ["mirror", "peer/daemon", "torrents", "system"],
  mirror: ["peer/daemon", "peer/engine", "registry", "origin", "torrents", "system"],
  seeder: ["peer/discovery", "peer/webrtc", "peer/engine", "origin", "torrents", "system"],
  tracker: ["registry", "torrents", "system"],
};
const MOST_LINES = 400;
/** Longer, and why: one class that wires the parts of a torrent; splitting it would only spread its wiring. */
const LONGER: readonly string[] = ["peer/engine/swarm-torrent.ts"];
const NOT_IN_DECIDERS = /\b(Date\.now|Math\.random|setTimeout|setInterval|performance\.now|new Date\(\))/;

const files = Object.keys(MAY_IMPORT).flatMap((folder) => globSync(`${folder}/**/*.ts`));
const violations: string[] = [];
/** Files from which no circle is reachable. */
const clean = new Set<string>();
const graph = new Map<string, string[]>();

for (const file of files) {
  const text = readFileSync(file, "utf8");
  const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, path]) => normalize(join(dirname(file), path)));
  // types vanish at run time: they may not break the folder table, but cannot make a circle
  const values = [...text.matchAll(/^(?:import|export) (?!type )[^;]*?from\s*"(\.[^"]+)"/gm)].map(([, path]) =>
    normalize(join(dirname(file), path)),
  );
  graph.set(file, values);
  checkImports(file, imports);
  checkText(file, text);
}
for (const file of files) findCircle(file, []);

for (const violation of new Set(violations)) process.stderr.write(`${violation}\n`);
process.stdout.write(`rules: ${files.length} files, ${new Set(violations).size} violations\n`);
process.exitCode = violations.length === 0 ? 0 : 1;

function checkImports(file: string, imports: readonly string[]): void {
  const own = folderOf(file);
  for (const path of imports) {
    const other = folderOf(path);
    if (other === undefined) violations.push(`${file}: imports ${path}, which is in no known folder`);
    else if (other !== own && !MAY_IMPORT[own as string].includes(other))
      violations.push(`${file}: ${own}/ may not import ${other}/ (${path})`);
  }
}

function checkText(file: string, text: string): void {
  const lines = text.split("\n");
  if (lines.length > MOST_LINES && !LONGER.includes(file)) violations.push(`${file}: ${lines.length} lines, more than ${MOST_LINES}`);
  if (!file.endsWith(".d.ts") && !text.startsWith("/**")) violations.push(`${file}: has no header comment`);
  const header = text.slice(0, text.indexOf("*/"));
  const decides = /\bDecides\b/.test(header);
  const at = decides ? lines.findIndex((line) => NOT_IN_DECIDERS.test(line) && !/^\s*(\*|\/\/)/.test(line)) : -1;
  if (at >= 0) violations.push(`${file}:${at + 1}: a file that decides reads a clock, a timer or randomness`);
}

function folderOf(file: string): string | undefined {
  return Object.keys(MAY_IMPORT).find((folder) => file.startsWith(`${folder}/`));
}

function findCircle(file: string, path: readonly string[]): void {
  if (clean.has(file)) return;
  const at = path.indexOf(file);
  if (at >= 0) {
    violations.push(`circle: ${[...path.slice(at), file].join(" → ")}`);
    return;
  }
  for (const next of graph.get(file) ?? []) findCircle(next, [...path, file]);
  clean.add(file);
}
