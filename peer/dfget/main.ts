/** `dfget`: one download through the host daemon; `dfget daemon` is the daemon itself. Wiring. */
import { SkimmerError } from "../../system/errors.ts";
import { parseCommand } from "../../system/options.ts";
import { reportError } from "../../system/report-error.ts";
import { DFGET_COMMAND, type DfgetSettings, readDfgetSettings } from "./dfget-command.ts";
import { Display } from "./display.ts";
import { fetchThroughDaemon } from "./fetch-through-daemon.ts";
import { doneLine } from "./progress-text.ts";

/** Runs the command with these arguments (without program and script). */
export async function main(args: readonly string[]): Promise<void> {
  if (args[0] === "daemon") return (await import("../daemon/main.ts")).main(args.slice(1));
  try {
    const command = await parseCommand(DFGET_COMMAND, args);
    if (command === undefined) return;
    await download(readDfgetSettings(command, { folder: process.cwd(), umask: process.umask() }));
  } catch (thrown) {
    process.exitCode = reportError(thrown, { command: "dfget", json: args.includes("--json") });
  }
}

async function download(settings: DfgetSettings): Promise<void> {
  const display = new Display(process.stderr, settings);
  const ending = new AbortController();
  const timer = settings.timeoutMs === 0 ? undefined : setTimeout(() => ending.abort(timeoutError(settings)), settings.timeoutMs);
  const cancel = (): void => ending.abort(cancelledError());
  process.on("SIGINT", cancel).on("SIGTERM", cancel);
  try {
    const done = await fetchThroughDaemon(settings, { signal: ending.signal, onEvent: (event) => display.show(event) });
    display.clear();
    // Since the start of this process: what its user waited for, dead daemons included.
    const { event: _, ...facts } = { ...done, seconds: Math.round(performance.now()) / 1000 };
    process.stdout.write(`${settings.json ? JSON.stringify(facts) : doneLine(facts)}\n`);
  } finally {
    display.clear();
    clearTimeout(timer);
    process.off("SIGINT", cancel).off("SIGTERM", cancel);
  }
}

function timeoutError({ timeoutMs }: DfgetSettings): SkimmerError {
  return new SkimmerError("timeout", `the download took longer than ${timeoutMs / 1000} s`, {
    hint: "What was downloaded is kept; run the same command again to go on.",
  });
}

function cancelledError(): SkimmerError {
  return new SkimmerError("cancelled", "cancelled", { hint: "What was downloaded is kept; run the same command again to go on." });
}
