/**
 * Announces the linked seeders in the swarms of all their tasks, once an interval: they do not do it themselves. Drives a timer.
 * Invariant: only so many tasks at a time, so that with 100,000 of them announces are still answered in between.
 */
import { setImmediate } from "node:timers/promises";
import type { PeerId } from "../torrents/ids.ts";
import type { TaskService } from "./task-service.ts";
import type { TaskTable } from "./task-table.ts";

/** About 1 ms. */
const TASKS_AT_ONCE = 500;

export class SeederAnnouncer implements Disposable {
  readonly #timer: NodeJS.Timeout;
  readonly #tasks: TaskTable;
  readonly #service: TaskService;
  #busy = false;

  constructor(options: { readonly tasks: TaskTable; readonly service: TaskService; readonly intervalMs: number }) {
    this.#tasks = options.tasks;
    this.#service = options.service;
    this.#timer = setInterval(() => void this.#announce(), options.intervalMs);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #announce(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    let left = TASKS_AT_ONCE;
    // a map's iterator goes on well where rows come and go meanwhile
    for (const { task, seeders } of this.#tasks.rows) {
      for (const seeder of seeders) this.#service.addSeederTo(task, seeder as PeerId);
      if (--left > 0) continue;
      left = TASKS_AT_ONCE;
      await setImmediate();
    }
    this.#busy = false;
  }
}
