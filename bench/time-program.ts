/**
 * Times a program from its start to its end.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** Seconds. Rejects where it fails. */
export async function timeProgram(command: string, args: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${text.slice(-500)}`);
  return (performance.now() - startedMs) / 1000;
}
