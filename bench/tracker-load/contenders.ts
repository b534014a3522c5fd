/**
 * The trackers that are measured: our supernode, and opentracker where it is installed, each as a process of its own on loopback.
 */
import { spawnSync } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../../test/support/folders.ts";
import { freePort, startCommand } from "../../test/support/processes.ts";
import { startLineProcess } from "../line-process.ts";
import { INFO_HASHES } from "./announces.ts";

export interface Contender extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
}

const LIST = "allowed";
const OPENTRACKER_HINT = "opentracker (Debian: apt-get install opentracker)";

/** Undefined, or what is missing. */
export function missingOpentracker(): string | undefined {
  return spawnSync("opentracker", ["-h"]).error === undefined ? undefined : OPENTRACKER_HINT;
}

export async function startSupernode(): Promise<Contender> {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryFolder());
  const args = ["--listen", "127.0.0.1:0", "--no-seeder", "--open-tracker", "--data", path, "--log-level", "error"];
  const command = stack.use(await startCommand({ command: "supernode", args }));
  return { pid: command.pid, port: Number(new URL(command.ready.http).port), [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Debian builds it with a list of allowed torrents. It goes into its folder, as root by chroot, and says nothing when it is ready. */
export async function startOpentracker(): Promise<Contender> {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryFolder());
  await chmod(path, 0o755);
  await writeFile(join(path, LIST), `${INFO_HASHES.join("\n")}\n`, { mode: 0o644 });
  const port = await freePort();
  const numbers = ["-p", String(port), "-P", String(port)];
  const tracker = stack.use(startLineProcess("opentracker", ["-i", "127.0.0.1", ...numbers, "-d", path, "-w", LIST]));
  return { pid: tracker.pid, port, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
