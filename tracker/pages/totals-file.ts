/**
 * Keeps the totals over restarts, in a file. Drives files and a timer.
 * Invariant: the file is whole, since it is replaced by renaming; a damaged one is reported, and the totals begin anew.
 */
import { readFile } from "node:fs/promises";
import type { Logger } from "../../system/logger.ts";
import { replaceFile } from "../../system/replace-file.ts";
import { parseTaskId, type TaskId } from "../../torrents/ids.ts";
import { fieldReader } from "../../torrents/parse-fields.ts";
import { type Account, emptyAccount, type SavedTotals, TotalsBook } from "./totals-book.ts";

const SAVE_EVERY_MS = 15_000;
const MOST_TASKS = 100_000;
const read = fieldReader("protocol", "stored totals");

export class TotalsFile implements AsyncDisposable {
  readonly book: TotalsBook;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  #saved = 0;
  #saving: Promise<void> = Promise.resolve();

  private constructor(path: string, book: TotalsBook, logger: Logger) {
    this.#path = path;
    this.book = book;
    this.#logger = logger;
    this.#timer = setInterval(() => void this.#save(), SAVE_EVERY_MS);
    this.#timer.unref();
  }

  /** Brings the last run's totals back. Never rejects. */
  static async open(options: { path: string; wallMs: number; logger: Logger }): Promise<TotalsFile> {
    const { path, wallMs, logger } = options;
    let saved: SavedTotals = { sinceMs: wallMs, all: emptyAccount(), tasks: [] };
    try {
      saved = parseTotals(JSON.parse(await readFile(path, "utf8")));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") logger.warn({ err: String(error), path }, "stored totals cannot be read");
    }
    return new TotalsFile(path, new TotalsBook(saved), logger);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#save();
  }

  #save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#write());
    return this.#saving;
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    const { version } = this.book;
    if (version === this.#saved) return;
    try {
      await replaceFile(this.#path, JSON.stringify(this.book.save()));
      this.#saved = version;
    } catch (error) {
      this.#logger.error({ err: String(error), path: this.#path }, "totals cannot be saved");
    }
  }
}

/** Throws SkimmerError `protocol`. */
function parseTotals(value: unknown): SavedTotals {
  const saved = read.object(value, "totals");
  return {
    sinceMs: read.integer(saved.sinceMs, "sinceMs", { least: 0, most: Number.MAX_SAFE_INTEGER }),
    all: parseAccount(saved.all),
    tasks: read.list(saved.tasks, "tasks", MOST_TASKS).map((entry) => {
      const [id, account] = read.list(entry, "task", 2);
      return [parseTaskId(String(id)) ?? (read.fail("task id", "64 hex digits") as TaskId), parseAccount(account)] as const;
    }),
  };
}

function parseAccount(value: unknown): Account {
  const account = read.object(value, "account");
  const names = Object.keys(emptyAccount()) as (keyof Account)[];
  const count = (name: string): number => read.integer(account[name], name, { least: 0, most: Number.MAX_SAFE_INTEGER });
  return Object.fromEntries(names.map((name) => [name, count(name)])) as unknown as Account;
}
