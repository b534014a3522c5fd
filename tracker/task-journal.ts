/**
 * Tasks that changed since the last whole save, one JSON line each: what kill -9 would lose otherwise. Drives files.
 *
 * Written at once and before anybody is told of the task, so that after a restart nobody's torrent is unknown. Invariant: a line is in the
 * journal, in the one before, or in the whole file; a broken last line (the machine went down) is passed over.
 */
import { appendFileSync } from "node:fs";
import { readFile, rename, rm } from "node:fs/promises";

export class TaskJournal {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Synchronous, since the answer that tells of the task must not overtake it; some 20 µs a line. */
  append(entry: object): void {
    appendFileSync(this.#path, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
  }

  /** What was noted since the last whole save that succeeded, the older first. */
  async read(): Promise<unknown[]> {
    const texts = await Promise.all([`${this.#path}.before`, this.#path].map((path) => readFile(path, "utf8").catch(() => "")));
    return texts.flatMap((text) => text.split("\n")).flatMap(parseLine);
  }

  /** Begins a new one; the one before is kept until drop(). A failed save leaves one behind: then both go on. */
  async rotate(): Promise<void> {
    const before = `${this.#path}.before`;
    const left = await readFile(before, "utf8").catch(() => undefined);
    if (left === undefined) await rename(this.#path, before).catch(() => undefined);
  }

  /** The whole save is on disk. */
  async drop(): Promise<void> {
    await rm(`${this.#path}.before`, { force: true });
  }
}

function parseLine(line: string): unknown[] {
  try {
    return line === "" ? [] : [JSON.parse(line)];
  } catch {
    return [];
  }
}
