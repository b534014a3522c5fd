/**
 * What the origin said to whom: the latest version of each content, and which callers it accepted. Decides: time is an
 * argument. Bounded: the entries that were written longest ago go; then the origin is asked again, nothing else is lost.
 */
import type { TaskId } from "../torrents/ids.ts";
import type { Caller } from "./credentials.ts";

const MOST_ENTRIES = 100_000;

interface Acceptance {
  readonly task: TaskId;
  readonly freshUntilMs: number;
}

export class Registrations {
  readonly #latest = new Map<string, TaskId>();
  readonly #accepted = new Map<string, Acceptance>();

  /** The version that the origin told last, to anybody who asked for the same thing. */
  latest(content: string): TaskId | undefined {
    return this.#latest.get(content);
  }

  /** The task that the caller may have without another question to the origin. */
  fresh(caller: Caller, nowMs: number): TaskId | undefined {
    const accepted = this.#accepted.get(caller.key);
    return accepted !== undefined && nowMs < accepted.freshUntilMs ? accepted.task : undefined;
  }

  /** Whether the origin gave the caller this task before. */
  hasAccepted(caller: Caller, task: TaskId): boolean {
    return this.#accepted.get(caller.key)?.task === task;
  }

  /** The origin gave the caller this task. Answers the version that it replaces, where it is another one. */
  accept(caller: Caller, task: TaskId, freshUntilMs: number): TaskId | undefined {
    put(this.#accepted, caller.key, { task, freshUntilMs });
    return this.setLatest(caller.content, task);
  }

  /** The origin has nothing for the caller now. */
  refuse(caller: Caller): void {
    this.#accepted.delete(caller.key);
  }

  /** Answers the version that was the latest, where it is another one. */
  setLatest(content: string, task: TaskId): TaskId | undefined {
    const before = this.#latest.get(content);
    put(this.#latest, content, task);
    return before === task ? undefined : before;
  }
}

function put<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MOST_ENTRIES) map.delete(map.keys().next().value as string);
}
