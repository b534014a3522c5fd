/**
 * A torrent of the engine as an abstract-chunk-store, which is what webtorrent reads pieces from: no second copy of the data, nothing is written.
 */
import { pieceLengthAt } from "../../torrents/geometry.ts";
import type { Torrent } from "../engine/types.ts";

type Callback<Value = void> = (error: Error | null, value?: Value) => void;

export interface ChunkRange {
  readonly offset?: number;
  readonly length?: number;
}

/** What the store reads from. */
export type ServedTorrent = Pick<Torrent, "geometry" | "has" | "serve">;

export class ServedStore {
  readonly chunkLength: number;
  readonly #torrent: ServedTorrent;
  readonly #onRead: () => void;
  #closed = false;

  /** `onRead`: a block is read for somebody. */
  constructor(torrent: ServedTorrent, onRead: () => void) {
    this.#torrent = torrent;
    this.#onRead = onRead;
    this.chunkLength = torrent.geometry.pieceLengthBytes;
  }

  get(index: number, range: ChunkRange | Callback<Buffer> | null, callback?: Callback<Buffer>): void {
    if (typeof range === "function") return this.get(index, {}, range);
    if (callback === undefined) return;
    this.#read(index, range ?? {}).then(
      (bytes) => callback(null, bytes),
      (error: Error) => callback(error),
    );
  }

  put(_index: number, _bytes: Uint8Array, callback?: Callback): void {
    queueMicrotask(() => callback?.(new Error("this store is only read")));
  }

  close(callback?: Callback): void {
    this.#closed = true;
    queueMicrotask(() => callback?.(null));
  }

  destroy(callback?: Callback): void {
    this.close(callback);
  }

  async #read(index: number, { offset: start = 0, length }: ChunkRange): Promise<Buffer> {
    const { geometry } = this.#torrent;
    if (this.#closed) throw new Error("the store is closed");
    if (!Number.isInteger(index) || index < 0 || index >= geometry.pieceCount || !this.#torrent.has(index))
      throw new Error("no such piece");
    const pieceBytes = pieceLengthAt(geometry, index);
    const lengthBytes = length ?? pieceBytes - start;
    const fits =
      Number.isInteger(start) && Number.isInteger(lengthBytes) && start >= 0 && lengthBytes > 0 && start + lengthBytes <= pieceBytes;
    if (!fits) throw new Error("no such block");
    this.#onRead();
    return this.#torrent.serve(index, { start, lengthBytes });
  }
}
