/**
 * Who changed what: JSON lines appended to a file, which is set aside when it is long. Drives files.
 *
 * Invariant: lines are whole and in order; at most MOST_FILES files of about MOST_FILE_BYTES; at most MOST_WAITING lines wait for a slow
 * disk, and what is more is counted instead. A log that cannot be written is reported, and stops nothing.
 */
import { appendFile, readFile, rename, stat } from "node:fs/promises";
import type { Logger } from "../../system/logger.ts";

const MOST_FILE_BYTES = 8 * 1024 * 1024;
/** The file itself, and FILE.1 to FILE.3. */
const MOST_FILES = 4;
const MOST_WAITING = 10_000;
const MODE = 0o600;

export interface AuditEntry {
  /** ISO 8601. */
  readonly at: string;
  /** Token, or `local` or `anyone`. */
  readonly who: string;
  readonly address: string;
  /** `DELETE /api/v1/tasks/…`, `seeder link`. */
  readonly what: string;
  /** HTTP status. */
  readonly outcome: number;
}

export class AuditLog implements AsyncDisposable {
  readonly #path: string | undefined;
  readonly #logger: Logger;
  #waiting: string[] = [];
  #lost = 0;
  #bytes: number | undefined;
  #writing: Promise<void> | undefined;

  /** Without a path nothing is kept. */
  constructor(options: { path: string | undefined; logger: Logger }) {
    this.#path = options.path;
    this.#logger = options.logger;
  }

  /** Takes note. Never throws; it is on disk a moment later. */
  note(entry: AuditEntry): void {
    if (this.#path === undefined) return;
    if (this.#waiting.length >= MOST_WAITING) this.#lost++;
    else this.#waiting.push(`${JSON.stringify(entry)}\n`);
    this.#writing ??= this.#write(this.#path);
  }

  /** The latest entries, the latest first: of this file, and of the one before where it has not enough. */
  async latest(count: number): Promise<AuditEntry[]> {
    if (this.#path === undefined) return [];
    await this.#writing;
    const own = await readLines(this.#path);
    const lines = own.length >= count ? own : [...(await readLines(`${this.#path}.1`)), ...own];
    return lines.slice(-count).reverse().flatMap(parseLine);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
  }

  async #write(path: string): Promise<void> {
    // let the others of this turn come along
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join("");
      this.#waiting = [];
      try {
        this.#bytes ??= await stat(path).then(
          ({ size }) => size,
          () => 0,
        );
        if (this.#bytes > MOST_FILE_BYTES) await this.#rotate(path);
        await appendFile(path, text, { mode: MODE });
        this.#bytes += Buffer.byteLength(text);
      } catch (error) {
        this.#logger.error({ err: String(error), path }, "the audit log cannot be written");
      }
      if (this.#lost > 0) this.#logger.error({ lost: this.#lost }, "the audit log lacks entries: the disk is too slow");
      this.#lost = 0;
    }
    // in the turn in which nothing waited: what is noted next starts a new one
    this.#writing = undefined;
  }

  async #rotate(path: string): Promise<void> {
    for (let number = MOST_FILES - 1; number >= 1; number--)
      await rename(number === 1 ? path : `${path}.${number - 1}`, `${path}.${number}`).catch(() => undefined);
    this.#bytes = 0;
  }
}

async function readLines(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

/** A line that was cut when the machine went down is passed over. */
function parseLine(line: string): AuditEntry[] {
  try {
    return [JSON.parse(line) as AuditEntry];
  } catch {
    return [];
  }
}
