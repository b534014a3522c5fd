/**
 * The seeder's tasks on disk: DATA/tasks/ID/task.json beside the engine's files, so that a restart loses nothing.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { OriginRequest } from "../origin/types.ts";
import { parseTaskId, type TaskId } from "../torrents/ids.ts";
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
}

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
  async save(task: StoredTask): Promise<void> {
    const directory = this.directoryOf(task.id);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, "task.json");
    await writeFile(`${path}.new`, JSON.stringify({ ...task, liveInfo: task.liveInfo.toString("base64") }), { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  /** All tasks that can be read; damaged ones are left out. */
  async loadAll(): Promise<StoredTask[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const tasks = await Promise.all(names.map((name) => this.#load(name)));
    return tasks.filter((task) => task !== undefined);
  }

  remove(id: TaskId): Promise<void> {
    return rm(this.directoryOf(id), { recursive: true, force: true });
  }

  async #load(name: string): Promise<StoredTask | undefined> {
    const id = parseTaskId(name);
    if (id === undefined) return undefined;
    try {
      return parseStored(id, JSON.parse(await readFile(join(this.#folder, name, "task.json"), "utf8")));
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
    request: { url: read.text(request.url, "url", 8192), headers: parseHeaders(request.headers), window },
    name: read.text(fields.name, "name", 1024),
    liveInfo: Buffer.from(read.text(fields.liveInfo, "liveInfo", 8192), "base64"),
    validators: parseValidators(fields.validators),
    private: read.flag(fields.private),
    ranges: read.flag(fields.ranges),
  };
}
