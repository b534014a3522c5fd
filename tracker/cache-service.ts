/**
 * What the API tells and changes of the seeders' caches and limits. Knows tasks and seeders; nothing of HTTP.
 * Private tasks are counted, never named.
 */
import { SkimmerError } from "../system/errors.ts";
import type { CacheReport, GcResult, SeederRequest } from "../torrents/seeder-link.ts";
import { shownUrl } from "../torrents/shown-url.ts";
import type { CacheListing, LimitsAnswer, SeederLimits } from "../torrents/task-api.ts";
import type { LinkedSeeder, SeederRegistry } from "./seeder-registry.ts";
import type { TaskRow, TaskTable } from "./task-table.ts";

const LIMITS = ["originBytesPerSecond", "originHostBytesPerSecond", "originConnectionsPerHost", "uploadBytesPerSecond"] as const;

type CacheEntry = CacheReport["tasks"][number];

export class CacheService {
  readonly #tasks: TaskTable;
  readonly #seeders: SeederRegistry;

  constructor(options: { tasks: TaskTable; seeders: SeederRegistry }) {
    this.#tasks = options.tasks;
    this.#seeders = options.seeders;
  }

  /** What every seeder stores, the most recently used first. */
  async list(): Promise<CacheListing> {
    const reports = (await this.#seeders.askAll({ kind: "cache" })).flatMap(({ seeder, result }) =>
      result.cache === undefined ? [] : [{ seeder, report: result.cache }],
    );
    const copies = Map.groupBy(
      reports.flatMap(({ report }) => report.tasks),
      ({ id }) => id,
    );
    const rows = [...copies].flatMap(([id, entries]) => {
      const row = this.#tasks.find(id);
      return row === undefined ? [] : [{ row, entries }];
    });
    const hidden = rows.filter(({ row }) => row.task.private);
    const shown = rows.filter(({ row }) => !row.task.private).map(({ row, entries }) => describeCopies(row, entries));
    return {
      seeders: reports.map(({ seeder, report }) => describeSeeder(seeder, report)),
      tasks: shown.sort((one, other) => other.lastUsedAt.localeCompare(one.lastUsedAt)),
      private: { tasks: hidden.length, bytes: sum(hidden.flatMap(({ entries }) => entries.map(({ bytes }) => bytes))) },
    };
  }

  /** Keeps a task at every seeder that has it, or no longer. Rejects with `not_found` where none has it. */
  async pin(row: TaskRow, pinned: boolean): Promise<void> {
    const call = { kind: "pin", task: row.task.id, pinned } as const;
    const answers = await this.#seeders.askAll(call, "not_found");
    if (answers.length === 0) throw new SkimmerError("not_found", `no seeder has the task ${row.task.id}`);
  }

  /** Has every seeder evict what is idle. */
  async collect(to: (SeederRequest & { kind: "gc" })["to"]): Promise<GcResult> {
    const results = (await this.#seeders.askAll({ kind: "gc", to })).flatMap(({ result }) => result.gc ?? []);
    const total = (field: keyof GcResult): number => sum(results.map((result) => result[field]));
    return { removed: total("removed"), freedBytes: total("freedBytes"), leftovers: total("leftovers"), usedBytes: total("usedBytes") };
  }

  /** What is in force at each seeder, after a change where there is one. */
  async limits(change: Partial<SeederLimits> = {}): Promise<LimitsAnswer> {
    const seeders = (await this.#seeders.setLimits(change)).flatMap(({ seeder, result }) =>
      result.limits === undefined ? [] : [{ id: seeder.peerId, host: seeder.host, port: seeder.port, ...result.limits }],
    );
    const common = LIMITS.map((name) => [name, commonValue(seeders.map((seeder) => seeder[name]))]);
    return { ...(Object.fromEntries(common) as Record<keyof SeederLimits, number | null>), seeders };
  }
}

function describeSeeder(seeder: LinkedSeeder, report: CacheReport): CacheListing["seeders"][number] {
  const { peerId: id, host, port } = seeder;
  const { quotaBytes, usedBytes, availableBytes, tasks } = report;
  return { id, host, port, quotaBytes, usedBytes, availableBytes, tasks: tasks.length };
}

function describeCopies({ task }: TaskRow, entries: readonly CacheEntry[]): CacheListing["tasks"][number] {
  return {
    id: task.id,
    url: shownUrl(task.url),
    name: task.name,
    state: task.state,
    lengthBytes: task.lengthBytes,
    bytes: sum(entries.map(({ bytes }) => bytes)),
    seeders: entries.length,
    pinned: entries.some(({ pinned }) => pinned),
    active: entries.some(({ active }) => active),
    lastUsedAt: new Date(Math.max(...entries.map(({ lastUsedMs }) => lastUsedMs))).toISOString(),
  };
}

/** The value that all have; null where they differ, or where there is none. */
function commonValue(values: readonly number[]): number | null {
  return values.length > 0 && values.every((value) => value === values[0]) ? values[0] : null;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
