/**
 * The seeder's tasks on disk: DATA/tasks/ID/task.json beside the engine's files, so that a restart loses nothing.
 * The file's modification time is the task's last use.
 */
import { readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { OriginRequest } from "../origin/types.ts";
import { replaceFile } from "../system/replace-file.ts";
import { parseTaskId, type TaskId } from "../torrents/ids.ts";
import { parseOriginTls } from "../torrents/origin-tls.ts";
import { fieldReader } from "../torrents/parse-fields.ts";
import { parseValidators } from "../torrents/parse-task-answer.ts";
import { parseHeaders } from "../torrents/parse-task-request.ts";
import type { Validators } from "../torrents/task-api.ts";

/** What has to be known to go on with a task after a restart. */
export interface StoredTask {
  readonly id: TaskId;
  readonly request: OriginRequest;
  readonly name: string;
  readonly liveInfo: Buffer;
  readonly validators: Validators;
  readonly private: boolean;
  readonly ranges: boolean;
  /** What was asked for: Caller.content. */
  readonly content: string;
  /** As the origin sent it. */
  readonly cacheControl: string;
  readonly pinned: boolean;
}

export interface LoadedTask {
  readonly stored: StoredTask;
  readonly lastUsedMs: number;
}

const TASK_FILE = "task.json";
const STAT_BLOCK_BYTES = 512;
const read = fieldReader("internal", "stored task");

export class TaskFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  directoryOf(id: TaskId): string {
    return join(this.#folder, id);
  }

  /** Writes the task's file, replacing it atomically. It may hold credentials: readable by us alone. */
  async save(task: StoredTask, lastUsedMs: number): Promise<void> {
    const path = join(this.directoryOf(task.id), TASK_FILE);
    await replaceFile(path, JSON.stringify({ ...task, liveInfo: task.liveInfo.toString("base64") }), { modifiedMs: lastUsedMs });
  }

  /** Notes the last use. */
  touch(id: TaskId, lastUsedMs: number): Promise<void> {
    return utimes(join(this.directoryOf(id), TASK_FILE), lastUsedMs / 1000, lastUsedMs / 1000);
  }

  /** All tasks that can be read, the most recently used first; damaged ones are left out. */
  async loadAll(): Promise<LoadedTask[]> {
    const tasks = await Promise.all((await this.#names()).map((name) => this.#load(name)));
    return tasks.filter((task) => task !== undefined).sort((one, other) => other.lastUsedMs - one.lastUsedMs);
  }

  /** Content on disk. */
  async storedBytes(id: TaskId): Promise<number> {
    const found = await stat(join(this.directoryOf(id), "data")).catch(() => undefined);
    return found === undefined ? 0 : Math.min(found.size, found.blocks * STAT_BLOCK_BYTES);
  }

  remove(id: TaskId): Promise<void> {
    return rm(this.directoryOf(id), { recursive: true, force: true });
  }

  /** Removes what belongs to none of these tasks. Answers how many folders and files went. */
  async removeOthers(known: ReadonlySet<string>): Promise<number> {
    const others = (await this.#names()).filter((name) => !known.has(name));
    for (const name of others) await rm(join(this.#folder, name), { recursive: true, force: true });
    return others.length;
  }

  async #names(): Promise<string[]> {
    return readdir(this.#folder).catch(() => []);
  }

  async #load(name: string): Promise<LoadedTask | undefined> {
    const id = parseTaskId(name);
    if (id === undefined) return undefined;
    try {
      const path = join(this.#folder, name, TASK_FILE);
      const stored = parseStored(id, JSON.parse(await readFile(path, "utf8")));
      return { stored, lastUsedMs: (await stat(path)).mtimeMs };
    } catch {
      return undefined;
    }
  }
}

function parseStored(id: TaskId, value: unknown): StoredTask {
  const fields = read.object(value, "task");
  const request = read.object(fields.request, "request");
  const window = request.window as OriginRequest["window"];
  return {
    id,
    request: {
      url: read.text(request.url, "url", 8192),
      headers: parseHeaders(request.headers),
      window,
      loopback: request.loopback === true,
      tls: parseOriginTls(request.tls),
    },
    name: read.text(fields.name, "name", 1024),
    liveInfo: Buffer.from(read.text(fields.liveInfo, "liveInfo", 8192), "base64"),
    validators: parseValidators(fields.validators),
    private: read.flag(fields.private),
    ranges: read.flag(fields.ranges),
    content: read.optionalText(fields.content, "content", 64) ?? "",
    cacheControl: read.optionalText(fields.cacheControl, "cacheControl", 8192) ?? "",
    pinned: read.flag(fields.pinned),
  };
}
