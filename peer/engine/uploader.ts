/**
 * Answers the requests of peers: from cached pieces, within the limits, no faster than each socket takes them.
 * Invariant: a piece's buffer is referenced for as long as any socket still writes from it.
 */
import type { PeerLink } from "./peer-link.ts";
import type { Slot } from "./piece-buffers.ts";
import { cacheKey, type SwarmState } from "./swarm-state.ts";
import { type BlockRange, encodeBlockHeader, encodeRanges, MESSAGE } from "./wire/messages.ts";

/** Requests of one peer that may wait. */
const MOST_WAITING = 2048;
/** Longest request that we serve to our own peers, and to others. */
export const OUR_BLOCK_BYTES = 128 * 1024;
const STANDARD_BLOCK_BYTES = 128 * 1024;
/** Bytes that may wait in one socket before we stop reading pieces for it. */
const SOCKET_BUFFER_BYTES = 1024 * 1024;

export class Uploader {
  uploadedBytes = 0;
  readonly #state: SwarmState;
  readonly #loading = new Map<number, Promise<Slot | undefined>>();
  readonly #retry = new WeakMap<PeerLink, () => void>();
  readonly #onDiskError: (error: Error) => void;

  constructor(state: SwarmState, onDiskError: (error: Error) => void) {
    this.#state = state;
    this.#onDiskError = onDiskError;
  }

  /** A peer asks for a block. What we cannot serve is rejected (BEP 6) or ignored. */
  onRequest(link: PeerLink, range: BlockRange): void {
    const { have, truth } = this.#state;
    const most = link.ours ? OUR_BLOCK_BYTES : STANDARD_BLOCK_BYTES;
    const exists = range.index < have.length && have.has(range.index) && range.length > 0 && range.length <= most;
    const fits = exists && range.begin + range.length <= truth.lengthAt(range.index);
    if (!fits || link.amChoking || link.wanted.length >= MOST_WAITING) return this.#reject(link, [range]);
    link.wanted.push(range);
    this.pump(link);
  }

  onCancel(link: PeerLink, range: BlockRange): void {
    const at = link.wanted.findIndex((open) => open.index === range.index && open.begin === range.begin && open.length === range.length);
    if (at < 0) return;
    link.wanted.splice(at, 1);
    this.#reject(link, [range]);
  }

  /** Choking ends what was asked (BEP 3), said aloud where the peer knows BEP 6. */
  onChoke(link: PeerLink): void {
    const dropped = link.wanted;
    link.wanted = [];
    this.#reject(link, dropped);
  }

  /** Sends as much as the socket and the limits take now. */
  pump(link: PeerLink): void {
    while (link.wanted.length > 0 && !link.connection.closed && link.connection.bufferedBytes < SOCKET_BUFFER_BYTES) {
      const range = link.wanted[0];
      const slot = this.#state.buffers.lookup(cacheKey(this.#state, range.index));
      if (slot === undefined) return this.#loadThenPump(link, range.index);
      if (!this.#state.uploadLimiter.tryTake(range.length, this.#retryOf(link))) {
        this.#state.buffers.release(slot);
        return;
      }
      link.wanted.shift();
      this.#send(link, range, slot);
    }
  }

  #send(link: PeerLink, range: BlockRange, slot: Slot): void {
    const block = slot.bytes.subarray(range.begin, range.begin + range.length);
    link.connection.sendBlock(encodeBlockHeader(range), block, () => this.#state.buffers.release(slot));
    link.uploadedBytes += range.length;
    link.uploadRate.onBytes(range.length, this.#state.clock.nowMs());
    this.uploadedBytes += range.length;
  }

  #retryOf(link: PeerLink): () => void {
    let retry = this.#retry.get(link);
    if (retry === undefined) {
      retry = () => this.pump(link);
      this.#retry.set(link, retry);
    }
    return retry;
  }

  #reject(link: PeerLink, ranges: readonly BlockRange[]): void {
    if (link.fast && ranges.length > 0) link.connection.send(encodeRanges(MESSAGE.reject, ranges));
  }

  #loadThenPump(link: PeerLink, index: number): void {
    if (link.uploading) return;
    link.uploading = true;
    this.load(index)
      .then((slot) => {
        link.uploading = false;
        if (slot === undefined) {
          link.wanted = link.wanted.filter((range) => range.index !== index);
          return;
        }
        this.pump(link);
        this.#state.buffers.release(slot);
      })
      .catch((error: unknown) => {
        link.uploading = false;
        if (!link.connection.closed) this.#onDiskError(error as Error);
      });
  }

  /** The piece in memory with one reference for the caller; undefined where we no longer have it. One read for all who wait. */
  async load(index: number): Promise<Slot | undefined> {
    const key = cacheKey(this.#state, index);
    const cached = this.#state.buffers.lookup(key);
    if (cached !== undefined) return cached;
    let loading = this.#loading.get(index);
    if (loading === undefined) {
      loading = this.#read(index).finally(() => this.#loading.delete(index));
      this.#loading.set(index, loading);
      return loading;
    }
    await loading;
    return this.load(index);
  }

  async #read(index: number): Promise<Slot | undefined> {
    const { have, truth, buffers, data, geometry } = this.#state;
    if (!have.has(index)) return undefined;
    const lengthBytes = truth.lengthAt(index);
    const slot = await buffers.acquire(lengthBytes, AbortSignal.timeout(LOAD_TIMEOUT_MS));
    try {
      await data.read(slot.bytes.subarray(0, lengthBytes), index * geometry.pieceLengthBytes);
    } catch (error) {
      buffers.release(slot);
      throw error;
    }
    buffers.cache(cacheKey(this.#state, index), slot);
    return slot;
  }
}

const LOAD_TIMEOUT_MS = 30_000;
