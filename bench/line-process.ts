/**
 * A process that speaks JSON lines on standard output and takes `go` on standard input; ended by the pid that was started.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export interface LineProcess extends AsyncDisposable {
  readonly pid: number;
  /** The next line, parsed. Rejects where the process ends before it, or stays silent for too long. */
  line(): Promise<Record<string, number>>;
  /** Lets a contender that waits begin. */
  go(): void;
}

const SILENT_MS = 180_000;

export function startLineProcess(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): LineProcess {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...env } });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid as number,
    line: async () => {
      const timer = setTimeout(() => child.kill("SIGKILL"), SILENT_MS);
      const { value, done } = await lines.next();
      clearTimeout(timer);
      if (done === true) throw new Error(`${command} ${args[0]} ended, or was ended, before it said that it is done`);
      return JSON.parse(value);
    },
    go: () => void child.stdin.write("go\n"),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
