/**
 * Tells the supernode every few seconds how far the seeder's tasks are, and how its disk stands, for the stats page. Drives.
 * Says nothing while nothing changes, other than every 15 seconds; a link that comes back is told everything.
 */
import { StatusNotes } from "../peer/engine/status-notes.ts";
import type { Engine } from "../peer/engine/types.ts";
import type { Logger } from "../system/logger.ts";
import type { StatusReport } from "../torrents/host-report.ts";
import type { Seeder } from "./seeder.ts";

const EVERY_MS = 2_000;
const IDLE_MS = 15_000;

export interface StatusTellerOptions {
  readonly engine: Engine;
  readonly seeder: Seeder;
  readonly linked: () => boolean;
  readonly send: (status: StatusReport) => void;
  readonly logger: Logger;
}

export class StatusTeller implements Disposable {
  readonly #options: StatusTellerOptions;
  readonly #notes = new StatusNotes();
  readonly #timer: NodeJS.Timeout;
  readonly #startedMs = performance.now();
  #toldMs = Number.NEGATIVE_INFINITY;
  #usedBytes = -1;
  #busy = false;

  constructor(options: StatusTellerOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#tell(), EVERY_MS);
    this.#timer.unref();
  }

  /** The supernode knows nothing of us. */
  welcome(): void {
    this.#notes.reset();
    this.#toldMs = Number.NEGATIVE_INFINITY;
    void this.#tell();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Never rejects. */
  async #tell(): Promise<void> {
    const { engine, seeder, linked, send, logger } = this.#options;
    if (this.#busy || !linked()) return;
    this.#busy = true;
    try {
      this.#notes.retain(engine.torrents);
      const { quotaBytes, usedBytes, availableBytes } = await seeder.room();
      const tasks = this.#notes.collect(engine.torrents.values());
      const nowMs = performance.now();
      if (tasks.length > 0 || usedBytes !== this.#usedBytes || nowMs - this.#toldMs >= IDLE_MS) {
        const disk = { quotaBytes, usedBytes, availableBytes, tasks: engine.torrents.size };
        send({ whole: this.#notes.whole, uptimeSeconds: Math.round((nowMs - this.#startedMs) / 1000), disk, tasks });
        this.#notes.confirm(tasks);
        this.#toldMs = nowMs;
        this.#usedBytes = usedBytes;
      }
    } catch (error) {
      logger.debug({ err: String(error) }, "the seeder's status cannot be told");
    }
    this.#busy = false;
  }
}
