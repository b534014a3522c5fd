/**
 * Puts small content that came inside an answer into the store, after the caller has it, so that this host can serve it
 * and needs no supernode to have it again. Drives; best effort: a failure is logged and costs nothing.
 */
import type { Logger } from "../../system/logger.ts";
import { geometryOf, pieceLengthAt, pieceOffset } from "../../torrents/geometry.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { Torrent } from "../engine/types.ts";
import type { OpenTask } from "./download-plan.ts";
import type { OpenRuns } from "./open-runs.ts";
import type { TaskIndex } from "./task-index.ts";

const MAX_PENDING = 64;
const STORE_TIMEOUT_MS = 10_000;

export class InlineStore {
  readonly #runs: OpenRuns;
  readonly #index: TaskIndex;
  readonly #logger: Logger;
  readonly #pending = new Map<InfoHash, Promise<void>>();

  constructor(options: { runs: OpenRuns; index: TaskIndex; logger: Logger }) {
    this.#runs = options.runs;
    this.#index = options.index;
    this.#logger = options.logger;
  }

  /** True where the host has the content, or is about to. */
  has(infoHash: InfoHash): boolean {
    return this.#pending.has(infoHash) || this.#index.get(infoHash)?.complete === true;
  }

  /** Stores in the background; skipped where it is there already or too many are under way. */
  keep(task: OpenTask, bytes: Buffer): void {
    const { infoHash } = task.entry;
    if (this.has(infoHash) || task.final === undefined || this.#pending.size >= MAX_PENDING) return;
    const storing = this.#store(task, bytes)
      .catch((thrown: unknown) => this.#logger.warn({ err: thrown, infoHash }, "small content could not be stored"))
      .finally(() => this.#pending.delete(infoHash));
    this.#pending.set(infoHash, storing);
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending.values());
  }

  async #store(task: OpenTask, bytes: Buffer): Promise<void> {
    await using handle = await this.#runs.open(task);
    const { torrent } = handle.run;
    if (!torrent.complete) await deliverAll(torrent, bytes);
  }
}

async function deliverAll(torrent: Torrent, bytes: Buffer): Promise<void> {
  const geometry = geometryOf(torrent.geometry);
  const signal = AbortSignal.timeout(STORE_TIMEOUT_MS);
  for (let index = 0; index < geometry.pieceCount; index++) {
    if (torrent.has(index)) continue;
    const buffer = await torrent.acquire(index, { signal });
    const offset = pieceOffset(geometry, index);
    bytes.copy(buffer.bytes, 0, offset, offset + pieceLengthAt(geometry, index));
    const delivery = await torrent.deliver(buffer, "origin");
    if (delivery.kind === "mismatch") throw new Error("inline content is not that of its torrent");
  }
}
