/**
 * Brings one task to its end at the responsible seeder: resolve, wait until final, try again where that may help (a token
 * that ran out, a seeder that left, a passing fault of the origin). Drives.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, SkimmerError, toSkimmerError } from "../../system/errors.ts";
import type { SeederTask } from "../../torrents/seeder-link.ts";
import type { TaskRequest } from "../../torrents/task-api.ts";
import type { TaskWatch } from "./task-watch.ts";

/** In a row without a new piece. */
const MOST_TRIES = 4;
const FIRST_DELAY_MS = 1000;
/** So often the seeder is asked again while nothing is heard. */
const ASK_AGAIN_MS = 60_000;

export interface WarmOptions {
  /** Made for each try, since tokens run out. */
  readonly request: () => Promise<TaskRequest>;
  readonly resolve: (request: TaskRequest) => Promise<SeederTask>;
  readonly watch: TaskWatch;
  readonly signal: AbortSignal;
  /** Before the second try; doubles. */
  readonly firstDelayMs?: number;
}

/** Resolves with the final task. Rejects with why it cannot be had, or the signal's reason. */
export async function warmTask(options: WarmOptions): Promise<SeederTask> {
  const progress = { tries: 0, pieces: 0 };
  for (;;) {
    const error = await oneTry(options, progress);
    if (!(error instanceof SkimmerError)) return error;
    options.signal.throwIfAborted();
    progress.tries++;
    if (progress.tries >= MOST_TRIES || !mayHelp(error, progress.pieces)) throw error;
    const delayMs = (options.firstDelayMs ?? FIRST_DELAY_MS) * 2 ** (progress.tries - 1);
    await sleep(delayMs, undefined, { signal: options.signal });
  }
}

/** The final task, or why there is none. New pieces take the count of tries back to zero. */
async function oneTry(options: WarmOptions, progress: { tries: number; pieces: number }): Promise<SeederTask | SkimmerError> {
  const { request, resolve, watch, signal } = options;
  try {
    for (;;) {
      let task = await resolve(await request());
      while (task.state === "live") {
        const news = await watch.next(task.id, { limitMs: ASK_AGAIN_MS, signal });
        if (news.kind === "gone") return new SkimmerError("cancelled", "the task was deleted while it was preheated");
        if (news.kind === "unknown") break;
        task = news.task;
      }
      if (task.state === "final") return task;
      if (task.state === "live") continue;
      if (task.piecesReady > progress.pieces) Object.assign(progress, { tries: 0, pieces: task.piecesReady });
      const { code, message, hint, status } = task.error ?? { code: "internal", message: "the seeder gave up" };
      return new SkimmerError(code as ErrorCode, message, { hint, status });
    }
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    return toSkimmerError(thrown);
  }
}

/** A refusal only after it began: then the token ran out on the way. */
function mayHelp({ code, status }: SkimmerError, pieces: number): boolean {
  if (code === "origin_refused") return pieces > 0;
  if (code === "origin_failed") return status === undefined || status === 429 || status >= 500;
  return code === "no_seeder" || code === "timeout" || code === "origin_unreachable" || code === "origin_changed";
}
