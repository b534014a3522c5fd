/**
 * Clean end of a long-running command on SIGTERM, SIGINT or the end of its parent: closers run once, last opened first,
 * within a time limit; a second signal ends the process at once.
 */
const LIMIT_MS = 8000;
/** Ctrl-C reaches the whole process group, and launchers and npm pass it on as well: a repetition this soon is the same signal. */
const SAME_SIGNAL_MS = 500;
const CLOSERS: (() => PromiseLike<void> | void)[] = [];
let endingSinceMs: number | undefined;

/** Registers what has to be closed; the last registered is closed first. */
export function onShutdown(close: () => PromiseLike<void> | void): void {
  CLOSERS.push(close);
}

/** Ends the process by running all closers. */
export async function shutdown(exitCode: number): Promise<void> {
  if (endingSinceMs !== undefined) return;
  endingSinceMs = performance.now();
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

/**
 * Listens to the signals. A child that supervise.ts started also ends when its parent's pipe closes, and takes its time
 * whatever else comes: it gets Ctrl-C from the terminal, then SIGTERM from its parent, who bounds the time.
 */
export function handleSignals(): void {
  const isChild = process.env.SKIMMER_PARENT_PIPE === "1";
  const signals = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const;
  for (const [signal, code] of Object.entries(signals)) {
    process.on(signal, () => {
      if (endingSinceMs === undefined) void shutdown(0);
      else if (!isChild && performance.now() - endingSinceMs > SAME_SIGNAL_MS) process.exit(code);
    });
  }
  if (!isChild) return;
  process.stdin.on("end", () => void shutdown(0));
  process.stdin.on("error", () => void shutdown(0));
  process.stdin.resume();
}
