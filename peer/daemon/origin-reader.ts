/**
 * Reads missing pieces of one torrent from its origin (back to source), once at a time. Drives.
 * Before the first byte the origin is probed with the caller's headers: another version than the torrent's ends with
 * `origin_changed`.
 */
import { fetchPieces } from "../../origin/fetch-pieces.ts";
import { isSameContent } from "../../origin/same-content.ts";
import type { Origin, OriginRequest } from "../../origin/types.ts";
import { SkimmerError, toSkimmerError } from "../../system/errors.ts";
import type { Validators } from "../../torrents/task-api.ts";
import type { Torrent } from "../engine/types.ts";

export interface OriginReaderOptions {
  readonly torrent: Torrent;
  readonly validators: Validators;
  readonly origin: Origin;
}

const MAX_CONNECTIONS = 4;

export class OriginReader {
  readonly #options: OriginReaderOptions;
  #running: AbortController | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  #wasRead = false;

  constructor(options: OriginReaderOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /** True once any content was asked of the origin. */
  get wasRead(): boolean {
    return this.#wasRead;
  }

  /** Reads what is missing; resolves with the failure, or undefined at the end or after stop(). Never rejects. */
  async read(request: OriginRequest): Promise<SkimmerError | undefined> {
    const control = new AbortController();
    this.#running = control;
    const reading = this.#read(request, control.signal);
    this.#ended = reading.catch(() => undefined);
    try {
      await reading;
      return undefined;
    } catch (thrown) {
      return control.signal.aborted ? undefined : toSkimmerError(thrown);
    } finally {
      this.#running = undefined;
    }
  }

  /** Stops reading; resolves when no piece is held any more. */
  async stop(): Promise<void> {
    this.#running?.abort();
    await this.#ended;
  }

  async #read(request: OriginRequest, signal: AbortSignal): Promise<void> {
    const { torrent, origin, validators } = this.#options;
    const probe = await origin.probe(request, { signal });
    if (!isSameContent({ validators, lengthBytes: torrent.geometry.lengthBytes }, probe)) {
      throw new SkimmerError("origin_changed", "the origin has another version than the one that this download began with", {
        hint: "Run the command again.",
      });
    }
    this.#wasRead = true;
    const throttle = (bytes: number): Promise<void> | undefined => torrent.throttle(bytes);
    await fetchPieces({ origin, request, probe, target: torrent, maxConnections: MAX_CONNECTIONS, throttle, signal });
  }
}
