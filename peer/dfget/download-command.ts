/** `dfget URL…`: downloads through the host daemon, and tells how it went. Wiring; its options are in dfget-command.ts. */
import { SkimmerError, toSkimmerError } from "../../system/errors.ts";
import { parseCommand } from "../../system/options.ts";
import { isListening } from "./daemon-socket.ts";
import { DFGET_COMMAND } from "./dfget-command.ts";
import { type DfgetSettings, readDfgetSettings } from "./dfget-settings.ts";
import { Display } from "./display.ts";
import { type JobsResult, type Reporter, runJobs } from "./run-jobs.ts";

/** The code of `cancelled`, where a second signal ends all at once. */
const EXIT_CANCELLED = 130;

/** Answers the exit code. Rejects with SkimmerError where the only download failed, or all were ended, unless events are wanted. */
export async function downloadCommand(args: readonly string[]): Promise<number> {
  const command = await parseCommand(DFGET_COMMAND, args);
  if (command === undefined) return 0;
  const list = command.options.inputFile as string | undefined;
  const listedUrls = list === undefined ? [] : await (await import("./url-list.ts")).readUrlList(list);
  const settings = readDfgetSettings(command, { folder: process.cwd(), umask: process.umask(), listedUrls });
  const reporter = await makeReporter(settings);
  for (const note of settings.notes) process.stderr.write(`dfget: ${note}\n`);
  await noteArguments(settings, reporter);
  const ending = new AbortController();
  const timer = settings.timeoutMs === 0 ? undefined : setTimeout(() => ending.abort(timeoutError(settings)), settings.timeoutMs);
  const cancel = (): void => (ending.signal.aborted ? process.exit(EXIT_CANCELLED) : ending.abort(cancelledError()));
  process.on("SIGINT", cancel).on("SIGTERM", cancel);
  try {
    return await runAll(settings, { reporter, signal: ending.signal });
  } catch (thrown) {
    if (!settings.json) throw thrown;
    // where the other events go, which is not always standard output
    const error = toSkimmerError(thrown);
    reporter.failed(settings.jobs.length === 1 ? settings.jobs[0] : undefined, error);
    return (await import("../../system/exit-codes.ts")).EXIT_CODES[error.code];
  } finally {
    reporter.end();
    clearTimeout(timer);
    process.off("SIGINT", cancel).off("SIGTERM", cancel);
  }
}

/** What is meant for a daemon that has to be started does not reach one that runs. */
async function noteArguments({ place, quiet }: DfgetSettings, reporter: Reporter): Promise<void> {
  if (place.daemonArguments.length === 0 || quiet || !(await isListening(place.paths.socket))) return;
  const names = place.daemonArguments.filter((word) => word.startsWith("--"));
  reporter.note(`a host daemon runs already and keeps its own ${names.join(", ")}; dfdaemon --take-over starts it anew`);
}

async function runAll(settings: DfgetSettings, options: { reporter: Reporter; signal: AbortSignal }): Promise<number> {
  const { recursive, folder, totalLimit, place } = settings;
  if (folder !== undefined) await (await import("./content-target.ts")).makeFolder(folder);
  if (totalLimit !== undefined) {
    const { setTotalLimit } = await import("./commands/limit.ts");
    await setTotalLimit(place, { downloadBytesPerSecond: totalLimit, signal: options.signal });
  }
  const jobs = recursive === undefined ? settings.jobs : await (await import("./recurse.ts")).listJobs(settings, recursive, options.signal);
  const result = await runJobs(jobs, { settings, ...options });
  if (settings.jobs.length === 1 && recursive === undefined) {
    if (result.failures.length > 0) throw result.failures[0];
    return 0;
  }
  return await finishSeveral(result, options.reporter);
}

async function finishSeveral({ done, failures }: JobsResult, reporter: Reporter): Promise<number> {
  reporter.end();
  const counts = { downloads: done + failures.length, failed: failures.length };
  reporter.summary(counts);
  if (failures.length === 0) return 0;
  const { EXIT_CODES } = await import("../../system/exit-codes.ts");
  return EXIT_CODES[failures[0].code];
}

async function makeReporter(settings: DfgetSettings): Promise<Reporter> {
  const toStandardOutput = settings.jobs.some((job) => job.output === undefined);
  if (!settings.json)
    return new Display(process.stderr, { ...settings, several: settings.jobs.length > 1 || settings.recursive !== undefined });
  const { JsonReport } = await import("./json-report.ts");
  return new JsonReport(toStandardOutput ? process.stderr : process.stdout);
}

const HOW_TO_GO_ON = "What was downloaded is kept; run the same command again to go on.";

function timeoutError({ timeoutMs }: DfgetSettings): SkimmerError {
  return new SkimmerError("timeout", `the download took longer than ${timeoutMs / 1000} s`, { hint: HOW_TO_GO_ON });
}

function cancelledError(): SkimmerError {
  return new SkimmerError("cancelled", "cancelled", { hint: HOW_TO_GO_ON });
}
