/**
 * One task at the seeder: its torrent, the fetch that fills it, and what its keeping depends on. Drives the first two.
 * Invariant: at most one fetch per task runs; a failed one is tried again when somebody asks for the task again.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fetchPieces } from "../origin/fetch-pieces.ts";
import type { Origin, OriginRequest, Probe } from "../origin/types.ts";
import type { Torrent } from "../peer/engine/types.ts";
import { SkimmerError, toSkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import { originWebSeed } from "../torrents/origin-web-seed.ts";
import type { SeederTask as TaskShape } from "../torrents/seeder-link.ts";
import { type FinalTorrents, INLINE_BYTES, type TaskState } from "../torrents/task-api.ts";
import { blobDigest, fileDigest } from "./check-blob.ts";
import { dropFromPageCache, isVeryLarge } from "./page-cache.ts";
import type { StoredTask } from "./task-files.ts";

const RECLAIM_MS = 50;

export interface FetchInput {
  readonly origin: Origin;
  readonly request: OriginRequest;
  readonly probe: Probe;
}

export class SeederTask {
  stored: StoredTask;
  readonly torrent: Torrent;
  /** The last registration, or piece served (ms since 1970). */
  lastUsedMs: number;
  /** The origin told another version since. */
  replaced = false;
  /** Since when the origin says that it is not there. */
  goneSinceMs: number | undefined;
  readonly #logger: Logger;
  readonly #onChange: (task: SeederTask) => void;
  readonly #onWrong: (task: SeederTask) => void;
  readonly #stop = new AbortController();
  #fetching: Promise<void> | undefined;
  #error: SkimmerError | undefined;
  #inline: string | undefined;
  #uploadedBytes = 0;

  constructor(options: {
    stored: StoredTask;
    torrent: Torrent;
    lastUsedMs: number;
    logger: Logger;
    onChange: (task: SeederTask) => void;
    /** The origin sent other content than the URL promises: it must not be kept. */
    onWrong: (task: SeederTask) => void;
  }) {
    this.stored = options.stored;
    this.torrent = options.torrent;
    this.lastUsedMs = options.lastUsedMs;
    this.#logger = options.logger;
    this.#onChange = options.onChange;
    this.#onWrong = options.onWrong;
    this.torrent.on("final", () => {
      if (isVeryLarge(this.torrent.geometry.lengthBytes)) void dropFromPageCache(this.torrent.dataPath);
      this.#onChange(this);
    });
    this.torrent.on("failed", (error) => this.#fail(error));
  }

  get state(): TaskState {
    if (this.torrent.complete && this.torrent.finalSignature !== undefined) return "final";
    return this.#error === undefined ? "live" : "failed";
  }

  get error(): SkimmerError | undefined {
    return this.#error;
  }

  /** It is fetched, or about to be, or a peer that lacks pieces is connected. */
  get active(): boolean {
    const { connections, seeds } = this.torrent.stats;
    return this.state === "live" || connections > seeds;
  }

  /** Content on disk. */
  get storedBytes(): number {
    return Math.min(this.torrent.stats.bytesHave, this.torrent.geometry.lengthBytes);
  }

  get missingBytes(): number {
    return this.torrent.geometry.lengthBytes - this.storedBytes;
  }

  /** Whether pieces were served since the last call. */
  wasServed(): boolean {
    const { uploadedBytes } = this.torrent.stats;
    const served = uploadedBytes > this.#uploadedBytes;
    this.#uploadedBytes = uploadedBytes;
    return served;
  }

  /** What the supernode is told. */
  get shape(): TaskShape {
    const { stored, torrent } = this;
    return {
      id: stored.id,
      url: stored.request.url,
      name: stored.name,
      state: this.state,
      lengthBytes: torrent.geometry.lengthBytes,
      pieceLengthBytes: torrent.geometry.pieceLengthBytes,
      piecesReady: torrent.stats.piecesHave,
      infoHash: torrent.infoHash,
      liveInfo: stored.liveInfo.toString("base64"),
      validators: stored.validators,
      private: stored.private,
      final: this.#final(),
      infoHashV1: torrent.infoHashes.v1,
      infoHashV2: torrent.infoHashes.v2,
      inline: this.#inline,
      webSeed: originWebSeed({ ...stored, url: stored.request.url, isWhole: stored.request.window === undefined }),
      error: this.#error && { code: this.#error.code, message: this.#error.message, hint: this.#error.hint, status: this.#error.status },
    };
  }

  /** Starts the fetch of what is missing, unless it runs. */
  fetch(input: FetchInput): void {
    if (this.torrent.complete || this.#fetching !== undefined || this.#stop.signal.aborted) return;
    this.#error = undefined;
    this.#fetching = this.#fetch(input)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#fetching = undefined;
      });
  }

  /** Waits until the task is final or failed; for content that travels inside the answer. */
  async settled(signal: AbortSignal): Promise<void> {
    while (this.state === "live")
      await Promise.race([once(this.torrent, "final", { signal }), this.#fetching ?? sleep(RECLAIM_MS, undefined, { signal })]);
    if (this.state === "final") await this.#loadInline();
  }

  /** Ends the fetch for good, and tells those who wait for it. */
  async stop(): Promise<void> {
    this.#error ??= new SkimmerError("not_found", "the task was removed", { retriable: true });
    this.#stop.abort();
    await this.#fetching;
  }

  async #fetch(input: FetchInput): Promise<void> {
    const { signal } = this.#stop;
    const isChecked = blobDigest(this.stored.request) !== undefined;
    while (!this.torrent.complete) {
      await fetchPieces({ ...input, target: this.torrent, isChecked, signal });
      if (!this.torrent.complete) await sleep(RECLAIM_MS, undefined, { signal });
    }
    await this.#checkBlob(signal);
    this.#logger.info({ task: this.stored.id, bytes: this.torrent.geometry.lengthBytes }, "task fetched");
  }

  async #checkBlob(signal: AbortSignal): Promise<void> {
    const wanted = blobDigest(this.stored.request);
    if (wanted === undefined) return;
    const { dataPath: path, geometry } = this.torrent;
    const found = await fileDigest({ path, lengthBytes: geometry.lengthBytes }, wanted.algorithm, signal);
    if (found === wanted.hex) return;
    this.#onWrong(this);
    throw new SkimmerError("digest_mismatch", `the registry sent content with the ${wanted.algorithm} ${found}, not ${wanted.hex}`);
  }

  #fail(thrown: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#error = toSkimmerError(thrown);
    this.#logger.warn({ task: this.stored.id, err: this.#error.message }, "task failed");
    this.#onChange(this);
  }

  #final(): FinalTorrents | undefined {
    const { infoV1, infoV2, pieceLayer, finalSignature } = this.torrent;
    if (infoV1 === undefined || infoV2 === undefined || finalSignature === undefined) return undefined;
    return {
      infoV1: infoV1.toString("base64"),
      infoV2: infoV2.toString("base64"),
      pieceLayer: (pieceLayer ?? Buffer.alloc(0)).toString("base64"),
      signature: finalSignature.toString("base64"),
    };
  }

  async #loadInline(): Promise<void> {
    if (this.#inline !== undefined || this.torrent.geometry.lengthBytes > INLINE_BYTES) return;
    this.#inline = this.torrent.geometry.pieceCount === 0 ? "" : (await this.torrent.read(0)).toString("base64");
  }
}
