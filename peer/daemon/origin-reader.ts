/**
 * Reads missing pieces of one torrent from its origin (back to source), once at a time. Drives.
 *
 * Before the first byte the origin is probed with the caller's headers: another version than the torrent's ends with
 * `origin_changed`. Pieces that nobody can confirm yet (the seeder was gone before it signed them) are remembered: together
 * with the confirmed ones they may make up the whole file.
 */
import { fetchPieces } from "../../origin/fetch-pieces.ts";
import type { Origin, OriginRequest, PieceTarget, Probe } from "../../origin/types.ts";
import { SkimmerError, toSkimmerError } from "../../system/errors.ts";
import { pieceLengthAt } from "../../torrents/geometry.ts";
import type { Validators } from "../../torrents/task-api.ts";
import type { Torrent } from "../engine/types.ts";
import { isSameContent } from "./same-content.ts";

export interface OriginReaderOptions {
  readonly torrent: Torrent;
  readonly validators: Validators;
  readonly origin: Origin;
  /** Bytes per second over all connections; 0 is unlimited. */
  readonly bytesPerSecond: () => number;
}

const MAX_CONNECTIONS = 4;

export class OriginReader {
  readonly #options: OriginReaderOptions;
  readonly #unconfirmed = new Set<number>();
  #running: AbortController | undefined;
  #ended: Promise<void> = Promise.resolve();
  #wasRead = false;

  constructor(options: OriginReaderOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /** True once any byte was asked of the origin. */
  get wasRead(): boolean {
    return this.#wasRead;
  }

  get unconfirmedBytes(): number {
    let bytes = 0;
    for (const index of this.#unconfirmedPieces()) bytes += pieceLengthAt(this.#options.torrent.geometry, index);
    return bytes;
  }

  /** True where every piece is on disk, confirmed or read from the origin by ourselves. */
  get hasEverything(): boolean {
    const { torrent } = this.#options;
    return torrent.complete || (this.#unconfirmed.size > 0 && torrent.stats.piecesHave + this.#unconfirmedPieces().length === torrent.geometry.pieceCount);
  }

  /** Begins to read; resolves with the failure, or undefined at the end or after stop(). Never rejects. */
  async read(request: OriginRequest, probe?: Probe): Promise<SkimmerError | undefined> {
    const control = new AbortController();
    this.#running = control;
    const reading = this.#read({ request, probe, signal: control.signal });
    this.#ended = reading.then(
      () => undefined,
      () => undefined,
    );
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

  async #read(input: { request: OriginRequest; probe: Probe | undefined; signal: AbortSignal }): Promise<void> {
    const { torrent, origin } = this.#options;
    const probe = input.probe ?? (await origin.probe(input.request, { signal: input.signal }));
    if (!isSameContent({ validators: this.#options.validators, lengthBytes: torrent.geometry.lengthBytes }, probe)) {
      throw new SkimmerError("origin_changed", "the origin has another version than the one that this download began with", { hint: "Run the command again." });
    }
    this.#wasRead = true;
    const bytesPerSecond = this.#options.bytesPerSecond();
    await fetchPieces({
      origin,
      request: input.request,
      probe,
      target: this.#target(),
      maxConnections: MAX_CONNECTIONS,
      ...(bytesPerSecond > 0 ? { bytesPerSecond } : {}),
      signal: input.signal,
    });
  }

  /** The torrent as the fetcher sees it, with an eye on what becomes of each piece. */
  #target(): PieceTarget {
    const { torrent } = this.#options;
    return {
      geometry: torrent.geometry,
      has: (index) => torrent.has(index) || this.#unconfirmed.has(index),
      claimMissing: (maxPieces) => torrent.claimMissing(maxPieces),
      unclaim: (index) => torrent.unclaim(index),
      acquire: (index, options) => torrent.acquire(index, options),
      deliver: async (buffer, source) => {
        const { index } = buffer;
        const delivery = await torrent.deliver(buffer, source);
        if (delivery.kind === "unverified") this.#unconfirmed.add(index);
        return delivery;
      },
    };
  }

  #unconfirmedPieces(): number[] {
    return [...this.#unconfirmed].filter((index) => !this.#options.torrent.has(index));
  }
}
