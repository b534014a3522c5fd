/**
 * Answers the requests of peers: from cached pieces, within the limits, no faster than each socket takes them.
 * Invariant: a piece's buffer is referenced for as long as any socket still writes from it.
 */
import { BLOCK_BYTES } from "../../torrents/geometry.ts";
import type { PeerLink } from "./peer-link.ts";
import type { Slot } from "./piece-buffers.ts";
import { cacheKey, type SwarmState } from "./swarm-state.ts";
import { type BlockRange, encodeBlockHeader, encodeRanges, MESSAGE } from "./wire/messages.ts";

/** Requests of one peer that may wait. */
const MOST_WAITING = 2048;
/** Longest request that we serve to our own peers, and to others. */
export const OUR_BLOCK_BYTES = 128 * 1024;
const STANDARD_BLOCK_BYTES = 128 * 1024;
/** What may wait in one socket: so many seconds of what the peer takes. Our own requests to that peer wait behind it. */
const SOCKET_BUFFER_SECONDS = 0.05;
/** More than a stream's high-water mark: below it no drain would tell us to go on. */
const LEAST_SOCKET_BUFFER_BYTES = 64 * 1024;
const MOST_SOCKET_BUFFER_BYTES = 1024 * 1024;

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
    const fits = exists && (range.begin + range.length <= truth.paddedLengthAt(range.index) || this.#isTail(range));
    const mayAsk = fits && link.wanted.length < MOST_WAITING && (!link.amChoking || link.granted?.take(range) === true);
    if (!mayAsk) return this.#reject(link, [range]);
    link.wanted.push(range);
    this.pump(link);
  }

  /** libtorrent 2.0 asks for the last block of a v2 file as a whole one and expects zeros behind the end (seen with 2.0.8). */
  #isTail({ index, begin, length }: BlockRange): boolean {
    return begin % BLOCK_BYTES === 0 && length === BLOCK_BYTES && begin < this.#state.truth.lengthAt(index);
  }

  onCancel(link: PeerLink, range: BlockRange): void {
    const at = link.wanted.findIndex((open) => open.index === range.index && open.begin === range.begin && open.length === range.length);
    if (at < 0) return;
    link.wanted.splice(at, 1);
    this.#reject(link, [range]);
  }

  /** Choking ends what was asked (BEP 3), said aloud where the peer knows BEP 6; but for what it may ask for in any case. */
  onChoke(link: PeerLink): void {
    const kept = new Set(link.wanted.filter((range) => link.granted?.take(range)));
    const dropped = link.wanted.filter((range) => !kept.has(range));
    link.wanted = [...kept];
    this.#reject(link, dropped);
  }

  /** Sends as much as the socket and the limits take now. */
  pump(link: PeerLink): void {
    const mostBuffered = socketBufferBytes(link.uploadRate.bytesPerSecond);
    while (link.wanted.length > 0 && !link.connection.closed && link.connection.bufferedBytes < mostBuffered) {
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
    const presentBytes = Math.min(range.length, Math.max(0, this.#state.truth.lengthAt(range.index) - range.begin));
    const present = slot.bytes.subarray(range.begin, range.begin + presentBytes);
    const { buffers } = this.#state;
    const header = encodeBlockHeader(range);
    if (presentBytes === range.length && buffers.sent.hold(slot)) {
      link.connection.sendBlock(header, present, () => {
        buffers.sent.release(slot);
        buffers.release(slot);
      });
    } else {
      // behind the content there are zeros, which Buffer.concat fills in
      link.connection.sendBlock(header, Buffer.concat([present], range.length), () => undefined);
      buffers.release(slot);
    }
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
        // no buffer was free all that time: nobody's fault, and it is asked for again
        if ((error as Error).name === "TimeoutError") this.pump(link);
        else if (!link.connection.closed) this.#onDiskError(error as Error);
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
    const lengthBytes = truth.paddedLengthAt(index);
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

function socketBufferBytes(bytesPerSecond: number): number {
  return Math.min(MOST_SOCKET_BUFFER_BYTES, Math.max(LEAST_SOCKET_BUFFER_BYTES, bytesPerSecond * SOCKET_BUFFER_SECONDS));
}
