/**
 * Shared by the benchmarks: timing of programs, medians, tables.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** Runs a program to its end; answers seconds. Rejects where it fails. */
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

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export interface Row {
  readonly name: string;
  readonly seconds: readonly number[];
  readonly note?: string;
}

/** Prints medians, and each as a ratio to the first row (the anchor). */
export function printTable(title: string, rows: readonly Row[]): void {
  const anchor = median(rows[0].seconds);
  console.log(`\n${title}`);
  for (const { name, seconds, note } of rows) {
    const middle = median(seconds);
    const spread = `${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)}`;
    console.log(
      `  ${name.padEnd(34)} ${middle.toFixed(2).padStart(7)} s  ${(middle / anchor).toFixed(3).padStart(6)} ×  (${spread})  ${note ?? ""}`,
    );
  }
}
