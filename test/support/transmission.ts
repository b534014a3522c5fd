/**
 * transmission-cli in tests: TCP only, told of its peers by a tracker. It refuses peers on 127.0.0.0/8, so that both sides meet at
 * another address of this machine.
 */
import { spawnSync } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { freePort } from "./processes.ts";
import { runTool, type Tool } from "./tools.ts";

const SETTINGS = { "utp-enabled": false, "dht-enabled": false, "lpd-enabled": false, "speed-limit-up-enabled": false };

/** Why transmission cannot take part here; undefined: it can. */
export function transmissionIsMissing(): string | undefined {
  if (spawnSync("transmission-cli", ["--version"]).error) return "transmission-cli is not installed";
  return ownAddress() === undefined ? "this machine has no IPv4 address besides the loopback" : undefined;
}

/** The address at which it may be met. */
export function ownAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, address }) => family === "IPv4" && !address.startsWith("127."))?.address;
}

export interface Transmission extends AsyncDisposable {
  readonly port: number;
  readonly tool: Tool;
  /** Whether it has the whole file. */
  isDone(): Promise<boolean>;
}

/** Starts one; it downloads to `folder`, or seeds what lies there. */
export async function startTransmission(at: {
  torrent: string;
  folder: string;
  encryption: "required" | "preferred" | "tolerated";
}): Promise<Transmission> {
  const port = await freePort();
  const configuration = join(at.folder, `configuration-${port}`);
  const script = join(configuration, "done.sh");
  await mkdir(configuration, { recursive: true });
  await writeFile(join(configuration, "settings.json"), JSON.stringify(SETTINGS));
  await writeFile(script, `#!/bin/sh\n: > "${script}.said"\n`);
  await chmod(script, 0o755);
  const place = ["--config-dir", configuration, "--port", String(port), "--download-dir", at.folder];
  const limits = ["--no-portmap", "--no-uplimit", "--no-downlimit", "--finish", script];
  // what it says of itself would come 4 KiB at a time
  const tool = runTool("stdbuf", ["-o0", "transmission-cli", `--encryption-${at.encryption}`, ...limits, ...place, at.torrent]);
  return {
    port,
    tool,
    isDone: async () => (await readFile(`${script}.said`).catch(() => undefined)) !== undefined,
    [Symbol.asyncDispose]: () => tool[Symbol.asyncDispose](),
  };
}
