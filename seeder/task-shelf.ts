/**
 * The tasks that the seeder holds: their torrents in the engine, their files, and how they come and go. Drives both.
 * Invariant: one task per id; a task is here only when its file is written, and gone from here before its files go.
 */

import type { KeyObject } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Engine } from "../peer/engine/types.ts";
import { SkimmerError, toSkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import type { TaskId } from "../torrents/ids.ts";
import { parseLiveInfo } from "../torrents/live-info.ts";
import type { GoneReason, SeederTask as TaskShape } from "../torrents/seeder-link.ts";
import { SeederTask } from "./seeder-task.ts";
import { type LoadedTask, type StoredTask, TaskFiles } from "./task-files.ts";

export interface ShelfOptions {
  readonly engine: Engine;
  readonly key: KeyObject;
  readonly data: string;
  readonly logger: Logger;
  /** A task's state changed. */
  onTask(shape: TaskShape): void;
  onGone(id: TaskId, reason: GoneReason): void;
  /** The origin sent other content than it was asked for; the task goes. */
  onWrong(task: SeederTask): void;
}

export class TaskShelf {
  readonly #options: ShelfOptions;
  readonly #files: TaskFiles;
  readonly #tasks = new Map<TaskId, SeederTask>();
  readonly #opening = new Map<TaskId, Promise<SeederTask>>();
  readonly #removing = new Map<TaskId, Promise<void>>();

  constructor(options: ShelfOptions) {
    this.#options = options;
    this.#files = new TaskFiles(join(options.data, "tasks"));
  }

  get tasks(): SeederTask[] {
    return [...this.#tasks.values()];
  }

  find(id: TaskId | undefined): SeederTask | undefined {
    return id === undefined ? undefined : this.#tasks.get(id);
  }

  /** The task of that id, made by `make` where there is none. */
  async findOrCreate(id: TaskId, lastUsedMs: number, make: () => StoredTask): Promise<SeederTask> {
    await this.#removing.get(id);
    const known = this.#tasks.get(id) ?? this.#opening.get(id);
    if (known !== undefined) return known;
    const opening = this.#create(make(), lastUsedMs).finally(() => this.#opening.delete(id));
    this.#opening.set(id, opening);
    return opening;
  }

  /** Brings the tasks of the last run back, the most recently used first. */
  async restore(): Promise<void> {
    await rm(join(this.#options.data, "spool"), { recursive: true, force: true });
    for (const { stored, lastUsedMs } of await this.#files.loadAll()) {
      try {
        this.#shelve(await this.#open({ stored, lastUsedMs }));
      } catch (error) {
        this.#options.logger.warn({ task: stored.id, err: String(error) }, "stored task cannot be opened");
        // without room for the rest, what is there is of no use
        if (toSkimmerError(error).code === "disk_full") await this.#files.remove(stored.id);
      }
    }
  }

  /** Removes task and files. Rejects with `not_found`. */
  async remove(id: TaskId, reason: GoneReason): Promise<void> {
    const task = this.#tasks.get(id) ?? (await this.#opening.get(id)?.catch(() => undefined));
    if (task === undefined) throw new SkimmerError("not_found", `no task ${id}`);
    const removing = this.#removing.get(id) ?? this.#remove(task, reason).finally(() => this.#removing.delete(id));
    this.#removing.set(id, removing);
    return removing;
  }

  /** Keeps the task whatever room is needed, or no longer. Rejects with `not_found`. */
  async pin(id: TaskId, pinned: boolean): Promise<void> {
    const task = this.#tasks.get(id);
    if (task === undefined) throw new SkimmerError("not_found", `no task ${id}`);
    task.stored = { ...task.stored, pinned };
    await this.#files.save(task.stored, task.lastUsedMs);
  }

  /** Writes the last use down. */
  async touch(task: SeederTask): Promise<void> {
    await this.#files.touch(task.stored.id, task.lastUsedMs).catch(() => undefined);
  }

  /** Removes what is on disk and belongs to no task. */
  async removeLeftovers(): Promise<number> {
    return this.#files.removeOthers(new Set([...this.#tasks.keys(), ...this.#opening.keys(), ...this.#removing.keys()]));
  }

  async close(): Promise<void> {
    await Promise.all(this.tasks.map((task) => task.stop()));
    await Promise.allSettled(this.#removing.values());
  }

  async #create(stored: StoredTask, lastUsedMs: number): Promise<SeederTask> {
    const { engine, data } = this.#options;
    const [opened, saved] = await Promise.allSettled([this.#open({ stored, lastUsedMs }), this.#files.save(stored, lastUsedMs)]);
    if (opened.status === "fulfilled" && saved.status === "fulfilled") return this.#shelve(opened.value);
    if (opened.status === "fulfilled") await engine.remove(opened.value.torrent);
    await this.#files.remove(stored.id).catch(() => undefined);
    throw opened.status === "rejected" ? opened.reason : asDiskError((saved as PromiseRejectedResult).reason, data);
  }

  async #open({ stored, lastUsedMs }: LoadedTask): Promise<SeederTask> {
    const { engine, key, logger, onTask } = this.#options;
    const { geometry, name } = parseLiveInfo(stored.liveInfo);
    const torrent = await engine.add({
      directory: this.#files.directoryOf(stored.id),
      name,
      geometry,
      liveInfo: stored.liveInfo,
      signer: key,
      secret: stored.private ? Buffer.from(stored.id, "hex") : undefined,
    });
    const onChange = (task: SeederTask): void => {
      if (this.#tasks.get(stored.id) === task) onTask(task.shape);
    };
    const onWrong = (task: SeederTask): void => {
      this.#options.onWrong(task);
      this.remove(stored.id, "deleted").catch((error: unknown) =>
        logger.warn({ task: stored.id, err: String(error) }, "wrong content stays"),
      );
    };
    return new SeederTask({ stored, torrent, lastUsedMs, logger, onChange, onWrong });
  }

  #shelve(task: SeederTask): SeederTask {
    this.#tasks.set(task.stored.id, task);
    return task;
  }

  async #remove(task: SeederTask, reason: GoneReason): Promise<void> {
    const { id } = task.stored;
    this.#tasks.delete(id);
    this.#options.onGone(id, reason);
    await task.stop();
    await this.#options.engine.remove(task.torrent);
    await this.#files.remove(id);
  }
}

function asDiskError(thrown: unknown, data: string): SkimmerError {
  const { code, message } = thrown as NodeJS.ErrnoException;
  if (code !== "ENOSPC" && code !== "EDQUOT") return toSkimmerError(thrown);
  return new SkimmerError("disk_full", `the disk of ${data} is full: ${message}`, { retriable: true, cause: thrown });
}
