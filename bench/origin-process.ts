/**
 * The scripted origin in a process of its own, so that it does not share the measuring process's event loop.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Host } from "./namespaces.ts";

const SCRIPT = fileURLToPath(new URL("../test/support/scripted-origin.ts", import.meta.url));

export interface OriginProcess extends AsyncDisposable {
  readonly url: string;
  readonly sha256: string;
  /** Ends it; answers how many body bytes it sent. */
  stop(): Promise<number>;
}

/** `at` is a host of namespaces.ts. Amounts as on the command line: `200MB`, `20MB` (0 is unlimited). */
export async function startOriginProcess(options: { length: string; rate: string; at?: Host }): Promise<OriginProcess> {
  const { length, rate, at } = options;
  const place = at === undefined ? [] : ["ip", "netns", "exec", at.namespace];
  const [program, ...args] = [...place, process.execPath, SCRIPT, "--length", length, "--rate", rate, "--host", at?.address ?? "127.0.0.1"];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const [ready] = (await once(lines, "line")) as [string];
  const { url, sha256 } = JSON.parse(ready) as { url: string; sha256: string };
  const stop = async (): Promise<number> => {
    const last = once(lines, "line") as Promise<[string]>;
    child.kill("SIGTERM");
    const [text] = await last;
    await once(child, "exit");
    return (JSON.parse(text) as { bytesSent: number }).bytesSent;
  };
  return { url, sha256, stop, [Symbol.asyncDispose]: async () => void (child.exitCode ?? (await stop())) };
}
