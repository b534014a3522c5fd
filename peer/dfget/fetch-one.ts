/**
 * One download of a subcommand (add, export, import), shown as `dfget URL` shows its own. Drives.
 */
import { resolve } from "node:path";
import type { OptionSpec } from "../../system/options.ts";
import type { Job } from "./dfget-settings.ts";
import { Display } from "./display.ts";
import { fetchThroughDaemon } from "./fetch-through-daemon.ts";
import type { Invocation } from "./subcommand.ts";

export const PROGRESS_OPTIONS: readonly OptionSpec[] = [
  { flags: "-q, --quiet", help: "print errors only" },
  { flags: "--no-progress", help: "no progress bar, no progress lines" },
];

export interface Fetch {
  /** What to call it in messages. */
  readonly url: string;
  /** The output's name where none was given. */
  readonly name: string;
  /** `-`: standard output; null: only into the store. */
  readonly output?: string | null;
  /** In place of `output`: only the daemon knows whether it becomes a file or a folder. */
  readonly byDaemon?: { readonly output: string } | { readonly outputFolder: string };
  readonly body: Readonly<Record<string, unknown>>;
}

/** Answers the exit code. Rejects with SkimmerError. */
export async function fetchOne(invocation: Invocation, wanted: Fetch): Promise<number> {
  const { options, json, place, signal } = invocation;
  const { byDaemon } = wanted;
  const output = wanted.output === null || wanted.output === "-" ? undefined : resolve(wanted.output ?? wanted.name);
  const job: Job = {
    url: wanted.url,
    output: byDaemon === undefined ? output : Object.values(byDaemon)[0],
    storeOnly: wanted.output === null || byDaemon !== undefined,
    body: { ...wanted.body, ...(byDaemon ?? { output }), mode: 0o666 & ~process.umask(), supernodes: place.supernodes, token: place.token },
  };
  const quiet = options.quiet === true;
  const stream = wanted.output === "-" ? process.stderr : process.stdout;
  const reporter = json
    ? new (await import("./json-report.ts")).JsonReport(stream)
    : new Display(process.stderr, { progress: !quiet && options.progress !== false, quiet, verbose: false, several: false });
  try {
    const done = await fetchThroughDaemon(job, { place, signal, onEvent: (event) => reporter.event(job, event) });
    reporter.done(job, { ...done, seconds: Math.round(performance.now()) / 1000 });
    return 0;
  } finally {
    reporter.end();
  }
}
