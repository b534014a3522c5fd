/**
 * Has seeders join the browsers of a task: they hold no WebRTC torrents for nothing, so they come when they are called. Drives the calls.
 *
 * Only final public tasks; at most CALLED seeders for each, and each task once in AGAIN_MS.
 */
import type { Clock } from "../system/clock.ts";
import type { Logger } from "../system/logger.ts";
import type { PeerId, TaskId } from "../torrents/ids.ts";
import type { SeederRegistry } from "./seeder-registry.ts";
import type { TaskTable } from "./task-table.ts";

const CALLED = 2;
/** Shorter than a seeder stays without browsers (peer/webrtc/seat-plan.ts). */
const AGAIN_MS = 20_000;
const MOST_CALLS = 1000;

/** How many seeders serve the task's browsers now. */
interface Call {
  readonly atMs: number;
  readonly joined: Promise<number>;
}

export interface BrowserCallsOptions {
  readonly tasks: Pick<TaskTable, "find">;
  readonly seeders: Pick<SeederRegistry, "find" | "ask">;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class BrowserCalls {
  readonly #options: BrowserCallsOptions;
  readonly #calls = new Map<string, Call>();

  constructor(options: BrowserCallsOptions) {
    this.#options = options;
  }

  /** Calls seeders for a task id or info hash. Answers how many came; never rejects. */
  async call(id: string): Promise<number> {
    const { tasks, clock } = this.#options;
    const row = tasks.find(id.toLowerCase());
    if (row === undefined || row.task.private || row.task.state !== "final") return 0;
    const nowMs = clock.nowMs();
    const known = this.#calls.get(row.task.id);
    if (known !== undefined && nowMs - known.atMs < AGAIN_MS) return known.joined;
    this.#calls.delete(row.task.id);
    const [oldest] = this.#calls.keys();
    if (this.#calls.size >= MOST_CALLS) this.#calls.delete(oldest);
    const joined = this.#ask(row.task.id, [...row.seeders] as PeerId[]);
    this.#calls.set(row.task.id, { atMs: nowMs, joined });
    return joined;
  }

  async #ask(task: TaskId, holders: readonly PeerId[]): Promise<number> {
    const { seeders, logger } = this.#options;
    const able = holders.filter((holder) => seeders.find(holder)?.webrtc).slice(0, CALLED);
    const answers = await Promise.allSettled(able.map((seeder) => seeders.ask(seeder, { kind: "browsers", task })));
    for (const answer of answers) {
      if (answer.status === "rejected") logger.info({ task, err: String(answer.reason) }, "a seeder cannot serve browsers");
    }
    return answers.filter(({ status }) => status === "fulfilled").length;
  }
}
