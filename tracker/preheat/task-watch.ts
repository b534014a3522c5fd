/**
 * Lets preheats wait for what seeders tell of tasks. Drives timers; knows nothing of preheats.
 */
import type { TaskId } from "../../torrents/ids.ts";
import type { SeederTask } from "../../torrents/seeder-link.ts";

export type TaskNews =
  | { readonly kind: "told"; readonly task: SeederTask }
  /** Deleted at the seeders. */
  | { readonly kind: "gone" }
  /** A seeder went away, or nothing was heard for the allowed time: ask again. */
  | { readonly kind: "unknown" };

type Listener = (news: TaskNews) => void;

export class TaskWatch {
  readonly #listeners = new Map<TaskId, Set<Listener>>();

  /** A seeder told of a task's state. */
  told(task: SeederTask): void {
    this.#tell(task.id, { kind: "told", task });
  }

  /** A task was deleted. */
  gone(id: TaskId): void {
    this.#tell(id, { kind: "gone" });
  }

  /** A seeder went away: whoever waits asks again. */
  lost(): void {
    for (const id of [...this.#listeners.keys()]) this.#tell(id, { kind: "unknown" });
  }

  /** The next news of a task; `unknown` after that time. Rejects with the signal's reason. */
  async next(id: TaskId, options: { limitMs: number; signal: AbortSignal }): Promise<TaskNews> {
    options.signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<TaskNews>();
    const onAbort = (): void => reject(options.signal.reason);
    const timer = setTimeout(() => resolve({ kind: "unknown" }), options.limitMs);
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(resolve));
    options.signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", onAbort);
      listeners.delete(resolve);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    }
  }

  #tell(id: TaskId, news: TaskNews): void {
    for (const listener of [...(this.#listeners.get(id) ?? [])]) listener(news);
  }
}
