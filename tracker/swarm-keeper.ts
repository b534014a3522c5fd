/**
 * Keeps the swarms on disk: a snapshot every SAVE_EVERY_MS, written bit by bit, and read at the start. Drives files and a timer.
 *
 * What a snapshot lacks, peers bring back with their next announce; nobody is refused in between, because the tasks are journalled.
 * Invariant: the file is whole, since it is replaced by renaming; one write at a time, and announces go on during it.
 */
import { open, readFile, rename, stat } from "node:fs/promises";
import type { Clock } from "../system/clock.ts";
import type { Logger } from "../system/logger.ts";
import { encodeGroup, encodeHead, restoreSwarms } from "./swarm/swarm-snapshot.ts";
import type { SwarmStore } from "./swarm/swarm-store.ts";

const SAVE_EVERY_MS = 10_000;
/** Of the time between two snapshots, at most this share is spent on writing: a million peers take longer. */
const MOST_SHARE = 0.1;
/** Encoded at once, some 2 ms: between two of these announces are answered. */
const WRITE_BYTES = 256 * 1024;
const MOST_BYTES = 512 * 1024 * 1024;

export interface SwarmKeeperOptions {
  readonly path: string;
  readonly store: SwarmStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class SwarmKeeper implements AsyncDisposable {
  readonly #options: SwarmKeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(options: SwarmKeeperOptions) {
    this.#options = options;
  }

  /** Brings the last run's peers back. Never rejects: without a snapshot the peers announce themselves. */
  async load(options: { expireMs: number; open: boolean; wallMs: number }): Promise<void> {
    const { path, store, clock, logger } = this.#options;
    try {
      const { mtimeMs, size } = await stat(path);
      if (size > MOST_BYTES) return;
      const awayMs = Math.max(0, options.wallMs - mtimeMs);
      const peers = restoreSwarms(await readFile(path), store, { ...options, nowMs: clock.nowMs(), awayMs });
      logger.info({ peers, awayMs: Math.round(awayMs) }, "swarms restored");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") logger.warn({ err: String(error), path }, "stored swarms cannot be read");
    }
  }

  /** Begins to save. */
  start(): void {
    this.#schedule(SAVE_EVERY_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.#saving;
    await this.#save();
  }

  #schedule(afterMs: number): void {
    this.#timer = setTimeout(() => {
      const startMs = this.#options.clock.nowMs();
      this.#saving = this.#save().then(() => this.#schedule(Math.max(SAVE_EVERY_MS, (this.#options.clock.nowMs() - startMs) / MOST_SHARE)));
    }, afterMs);
    this.#timer.unref();
  }

  async #save(): Promise<void> {
    const { path, logger } = this.#options;
    try {
      await this.#write(`${path}.new`);
      await rename(`${path}.new`, path);
    } catch (error) {
      logger.error({ err: String(error), path }, "swarms cannot be saved");
    }
  }

  async #write(path: string): Promise<void> {
    const { store, clock } = this.#options;
    await using file = await open(path, "w", 0o600);
    let parts: Buffer[] = [encodeHead(store.sites)];
    let length = 0;
    for (const group of store.groups()) {
      const bytes = encodeGroup(group, clock.nowMs());
      if (bytes === undefined) continue;
      parts.push(bytes);
      length += bytes.length;
      if (length < WRITE_BYTES) continue;
      // announces are answered meanwhile
      await file.appendFile(Buffer.concat(parts));
      parts = [];
      length = 0;
    }
    await file.appendFile(Buffer.concat(parts));
  }
}
