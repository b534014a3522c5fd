/**
 * Clean end of a long-running command on SIGTERM, SIGINT or the end of its parent: closers run once, last opened first,
 * within a time limit; a second signal ends the process at once.
 */
const LIMIT_MS = 8000;
const CLOSERS: (() => PromiseLike<void> | void)[] = [];
let ending = false;

/** Registers what has to be closed; the last registered is closed first. */
export function onShutdown(close: () => PromiseLike<void> | void): void {
  CLOSERS.push(close);
}

/** Ends the process by running all closers. */
export async function shutdown(exitCode: number): Promise<void> {
  if (ending) return;
  ending = true;
  setTimeout(() => process.exit(exitCode === 0 ? 1 : exitCode), LIMIT_MS).unref();
  for (const close of CLOSERS.reverse()) {
    try {
      await close();
    } catch (error) {
      process.stderr.write(`${JSON.stringify({ level: 50, msg: "closing failed", err: String(error) })}\n`);
    }
  }
  process.exit(exitCode);
}

/** Listens to the signals. A child that supervise.ts started also ends when its parent's pipe closes. */
export function handleSignals(): void {
  const signals = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const;
  for (const [signal, code] of Object.entries(signals)) {
    process.on(signal, () => {
      if (ending) process.exit(code);
      void shutdown(0);
    });
  }
  if (process.env.SKIMMER_PARENT_PIPE !== "1") return;
  process.stdin.on("end", () => void shutdown(0));
  process.stdin.on("error", () => void shutdown(0));
  process.stdin.resume();
}
