/**
 * What the supernode knows of tasks, as the seeders tell it; survives a restart, kill -9 too, through a file and a journal.
 * Invariant: every task's info hashes are in the swarm store; at most MOST_TASKS, the least recently used go.
 */
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { Logger } from "../system/logger.ts";
import type { InfoHash, TaskId } from "../torrents/ids.ts";
import { parseTask } from "../torrents/parse-link-message.ts";
import type { SeederTask } from "../torrents/seeder-link.ts";
import type { TaskRequest } from "../torrents/task-api.ts";
import { originKey } from "../torrents/task-identity.ts";
import type { Passkeys } from "./passkeys.ts";
import type { SwarmStore } from "./swarm/swarm-store.ts";
import { TaskJournal } from "./task-journal.ts";

const MOST_TASKS = 100_000;
const SAVE_AFTER_MS = 500;
/** Of the time, at most this share is spent on saving: many tasks take longer. */
const MOST_SHARE = 0.05;
/** Made into text at once; between two of these, announces are answered. */
const WRITE_LENGTH = 256 * 1024;

export interface TaskRow {
  task: SeederTask;
  /** Peer ids of the seeders that hold it. */
  readonly seeders: Set<string>;
  readonly createdAt: string;
  lastUsedAt: string;
}

export class TaskTable {
  readonly #path: string;
  readonly #swarms: SwarmStore;
  readonly #logger: Logger;
  readonly #passkeys: Passkeys;
  readonly #journal: TaskJournal;
  readonly #rows = new Map<TaskId, TaskRow>();
  readonly #byHash = new Map<InfoHash, TaskId>();
  readonly #byKey = new Map<string, TaskId>();
  #timer: NodeJS.Timeout | undefined;
  #loading = false;
  #tookMs = 0;
  #saving = Promise.resolve();

  constructor(options: { path: string; swarms: SwarmStore; passkeys: Passkeys; logger: Logger }) {
    this.#path = options.path;
    this.#swarms = options.swarms;
    this.#logger = options.logger;
    this.#passkeys = options.passkeys;
    this.#journal = new TaskJournal(`${options.path}.journal`);
  }

  get rows(): IterableIterator<TaskRow> {
    return this.#rows.values();
  }

  get size(): number {
    return this.#rows.size;
  }

  find(id: string): TaskRow | undefined {
    return this.#rows.get(this.#byHash.get(id as InfoHash) ?? (id as TaskId));
  }

  /** The last task that the request led to, when there was one. */
  findRequest(request: TaskRequest): TaskRow | undefined {
    return this.find(this.#byKey.get(originKey(request)) ?? "");
  }

  /** Private tasks are not remembered: nobody gets them unasked. */
  remember(request: TaskRequest, id: TaskId): void {
    if (this.#rows.get(id)?.task.private) return;
    this.#byKey.set(originKey(request), id);
    if (this.#byKey.size > MOST_TASKS) this.#byKey.delete(this.#byKey.keys().next().value as string);
    this.#saveSoon();
  }

  /** A seeder told of a task. Small private content is for who asked, not for keeping. */
  update(told: SeederTask, seeder: string | undefined): TaskRow {
    const task = told.private ? { ...told, inline: undefined } : told;
    const now = new Date().toISOString();
    const known = this.#rows.get(task.id);
    if (!this.#loading && known?.task.state !== task.state) this.#note({ task });
    const row: TaskRow = known ?? { task, seeders: new Set(), createdAt: now, lastUsedAt: now };
    row.task = task;
    if (seeder !== undefined) row.seeders.add(seeder);
    this.#rows.delete(task.id);
    this.#rows.set(task.id, row);
    const finals = [task.infoHashV1, task.infoHashV2].filter((hash) => hash !== undefined);
    for (const hash of [task.infoHash, ...finals]) this.#byHash.set(hash, task.id);
    this.#swarms.join({ live: task.infoHash, finals, passkey: this.passkeyOf(task) });
    if (this.#rows.size > MOST_TASKS) this.remove(this.#rows.keys().next().value as TaskId);
    this.#saveSoon();
    return row;
  }

  /** What announces to its swarms have to bring. */
  passkeyOf(task: SeederTask): string | undefined {
    return task.private ? this.#passkeys.of(task.id) : undefined;
  }

  touch(row: TaskRow): void {
    row.lastUsedAt = new Date().toISOString();
  }

  remove(id: TaskId): void {
    const row = this.#rows.get(id);
    if (row === undefined) return;
    if (!this.#loading) this.#note({ removed: id });
    this.#rows.delete(id);
    for (const hash of [row.task.infoHash, row.task.infoHashV1, row.task.infoHashV2]) if (hash !== undefined) this.#byHash.delete(hash);
    this.#swarms.remove(row.task.infoHash);
    this.#saveSoon();
  }

  /** A seeder is away: nobody is sent to it. */
  dropSeeder(seeder: string): void {
    for (const row of this.#rows.values()) row.seeders.delete(seeder);
  }

  /** Reads the last run's tasks; a damaged file is reported and left behind. */
  async load(): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    const text = await readFile(this.#path, "utf8").catch(() => undefined);
    const noted = await this.#journal.read();
    this.#loading = true;
    try {
      const saved = JSON.parse(text ?? '{"tasks":[],"keys":[]}') as { tasks: unknown[]; keys: [string, TaskId][] };
      for (const task of saved.tasks) this.update(parseTask(task), undefined);
      for (const [key, id] of saved.keys) this.#byKey.set(key, id);
      for (const entry of noted) this.#redo(entry as { task?: unknown; removed?: TaskId });
    } catch (error) {
      this.#logger.warn({ err: String(error), path: this.#path }, "stored tasks cannot be read");
    }
    this.#loading = false;
  }

  #redo({ task, removed }: { task?: unknown; removed?: TaskId }): void {
    if (removed !== undefined) this.remove(removed);
    else this.update(parseTask(task), undefined);
  }

  #note(entry: { task: SeederTask } | { removed: TaskId }): void {
    try {
      this.#journal.append(entry);
    } catch (error) {
      this.#logger.error({ err: String(error) }, "a task cannot be noted");
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#save();
  }

  #saveSoon(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        void this.#save();
      },
      Math.max(SAVE_AFTER_MS, this.#tookMs / MOST_SHARE),
    );
  }

  #save(): Promise<void> {
    this.#saving = this.#saving
      .then(() => this.#write())
      .catch((error: unknown) => this.#logger.error({ err: String(error) }, "tasks cannot be saved"));
    return this.#saving;
  }

  async #write(): Promise<void> {
    const startMs = performance.now();
    // what changes from here on is in the new journal
    await this.#journal.rotate();
    const tasks = [...this.#rows.values()].map(({ task }) => task);
    await writeSlices(`${this.#path}.new`, savedText(tasks, [...this.#byKey]));
    await rename(`${this.#path}.new`, this.#path);
    await this.#journal.drop();
    this.#tookMs = performance.now() - startMs;
  }
}

/** The file's JSON, a task or key at a time. */
function* savedText(tasks: readonly SeederTask[], keys: readonly (readonly [string, TaskId])[]): IterableIterator<string> {
  yield '{"tasks":[';
  for (const [index, task] of tasks.entries()) yield `${index === 0 ? "" : ","}${JSON.stringify(task)}`;
  yield '],"keys":[';
  for (const [index, key] of keys.entries()) yield `${index === 0 ? "" : ","}${JSON.stringify(key)}`;
  yield "]}";
}

async function writeSlices(path: string, parts: IterableIterator<string>): Promise<void> {
  await using file = await open(path, "w", 0o600);
  let text = "";
  for (const part of parts) {
    text += part;
    if (text.length < WRITE_LENGTH) continue;
    await file.appendFile(text);
    text = "";
  }
  await file.appendFile(text);
}
