/**
 * Where all bytes came from, over all tasks and by task, added up from what hosts told. Decides.
 * Invariant: at most MOST_TASKS tasks are kept apart, those that moved last; the totals hold all.
 */
import type { TaskId } from "../../torrents/ids.ts";

export const BYTE_ORIGINS = ["origin", "seeder", "peers"] as const;

/** Bytes, or rates, by where they came from. */
export type ByteTotals = Record<(typeof BYTE_ORIGINS)[number], number>;

/** What grew in one report. */
export interface TaskBytes extends Readonly<ByteTotals> {
  readonly uploaded: number;
}

/** What hosts received from where, and beside it what seeders fetched and sent. */
export interface Account extends ByteTotals {
  /** Read from the origin by seeders. */
  fetched: number;
  /** Sent by hosts, and by seeders. */
  uploaded: number;
  seeded: number;
}

/** As it is kept in a file. */
export interface SavedTotals {
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  readonly all: Account;
  readonly tasks: readonly (readonly [TaskId, Account])[];
}

const MOST_TASKS = 100_000;
const MOST_SAVED_TASKS = 10_000;

export class TotalsBook {
  readonly sinceMs: number;
  readonly all: Account;
  /** Counts the changes. */
  version = 0;
  readonly #tasks: Map<TaskId, Account>;

  constructor(saved: SavedTotals) {
    this.sinceMs = saved.sinceMs;
    this.all = { ...saved.all };
    this.#tasks = new Map(saved.tasks.map(([id, account]) => [id, { ...account }]));
  }

  of(task: TaskId): Readonly<Account> {
    return this.#tasks.get(task) ?? emptyAccount();
  }

  add(entry: { readonly task: TaskId; readonly role: "peer" | "seeder"; readonly growth: TaskBytes }): void {
    const { task, role, growth } = entry;
    if (growth.origin + growth.seeder + growth.peers + growth.uploaded === 0) return;
    const account = this.#tasks.get(task) ?? emptyAccount();
    for (const each of [account, this.all]) {
      if (role === "seeder") {
        each.fetched = sumOf(each.fetched, growth.origin);
        each.seeded = sumOf(each.seeded, growth.uploaded);
        continue;
      }
      for (const source of BYTE_ORIGINS) each[source] = sumOf(each[source], growth[source]);
      each.uploaded = sumOf(each.uploaded, growth.uploaded);
    }
    this.version++;
    this.#tasks.delete(task);
    this.#tasks.set(task, account);
    if (this.#tasks.size > MOST_TASKS) this.#tasks.delete(this.#tasks.keys().next().value as TaskId);
  }

  /** For the file. */
  save(): SavedTotals {
    return { sinceMs: this.sinceMs, all: this.all, tasks: [...this.#tasks].slice(-MOST_SAVED_TASKS) };
  }
}

/** What hosts say may be anything: a sum stays a whole number. */
function sumOf(one: number, other: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, one + Math.floor(other));
}

export function emptyAccount(): Account {
  return { origin: 0, seeder: 0, peers: 0, fetched: 0, uploaded: 0, seeded: 0 };
}

/** Bytes that hosts got and that the origin did not have to send for it. */
export function savedBytes(account: Readonly<Account>): number {
  return Math.max(0, account.seeder + account.peers - account.fetched);
}

/** The share of what hosts got that came from other hosts; undefined where they got nothing. */
export function peerShare(account: Readonly<Account>): number | undefined {
  const all = account.origin + account.seeder + account.peers;
  return all === 0 ? undefined : account.peers / all;
}
