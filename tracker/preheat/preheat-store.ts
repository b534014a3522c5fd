/**
 * Preheats on disk: one JSON file, replaced as a whole, readable by its owner only (it holds credentials of unfinished ones).
 */
import { mkdir, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { Logger } from "../../system/logger.ts";
import { replaceFile } from "../../system/replace-file.ts";
import type { PreheatJob } from "./preheat-job.ts";

const SAVE_AFTER_MS = 200;

export class PreheatStore {
  readonly #path: string;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  /** The write that is under way, or the last one. */
  #saving = Promise.resolve();
  /** The one after it. */
  #next: Promise<void> | undefined;
  #jobs: () => Iterable<PreheatJob> = () => [];

  constructor(options: { path: string; logger: Logger }) {
    this.#path = options.path;
    this.#logger = options.logger;
  }

  /** The jobs of the last run; a damaged file is reported and left aside. `jobs`: what is saved from now on. */
  async open(jobs: () => Iterable<PreheatJob>): Promise<PreheatJob[]> {
    this.#jobs = jobs;
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    const text = await readFile(this.#path, "utf8").catch(() => undefined);
    if (text === undefined) return [];
    try {
      return (JSON.parse(text) as { preheats: PreheatJob[] }).preheats.filter(({ id, spec, state }) => id && spec?.kind && state);
    } catch (error) {
      this.#logger.warn({ err: String(error), path: this.#path }, "stored preheats cannot be read");
      await rename(this.#path, `${this.#path}.damaged`).catch(() => undefined);
      return [];
    }
  }

  /** Soon; several changes are written together. */
  changed(): void {
    this.#timer ??= setTimeout(() => void this.save(), SAVE_AFTER_MS);
  }

  /** Now; resolves when it is on disk, or was reported to be impossible. Who comes before it is begun shares it. */
  save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#next ??= this.#saving.then(() => {
      this.#next = undefined;
      this.#saving = this.#write().catch((error: unknown) =>
        this.#logger.error({ err: String(error), path: this.#path }, "preheats cannot be saved"),
      );
      return this.#saving;
    });
    return this.#next;
  }

  async #write(): Promise<void> {
    await replaceFile(this.#path, JSON.stringify({ preheats: [...this.#jobs()] }));
  }
}
