/**
 * Cuts the wanted range out of an answer's body and tells whether all of it came. Decides.
 */
import { SkimmerError } from "../system/errors.ts";
import { type HttpAnswer, placeOfRange } from "./http-answers.ts";
import { shownUrl } from "./http-headers.ts";
import type { ChunkSink, OriginRequest, ReadRange } from "./types.ts";

export class RangeBody {
  readonly #request: OriginRequest;
  readonly #range: ReadRange;
  readonly #sink: ChunkSink;
  #skip = 0;
  /** Bytes still to come; infinite where nobody knows. */
  #left: number;
  #begun = false;

  constructor(request: OriginRequest, range: ReadRange, sink: ChunkSink) {
    this.#request = request;
    this.#range = range;
    this.#sink = sink;
    this.#left = this.#wanted;
  }

  /** True once an answer was good: bytes may have gone to the sink. */
  get begun(): boolean {
    return this.#begun;
  }

  get #wanted(): number {
    const { firstByte, lastByte } = this.#range;
    return lastByte === undefined ? Number.POSITIVE_INFINITY : lastByte - firstByte + 1;
  }

  /** Checks a 200 or 206 and gives what takes its body. Throws SkimmerError origin_*. */
  begin(answer: HttpAnswer): (chunk: Buffer) => void | Promise<void> {
    const place = placeOfRange(this.#request, this.#range, answer);
    this.#begun = true;
    this.#skip = place.skipBytes;
    if (this.#range.lastByte === undefined) this.#left = place.bodyBytes - place.skipBytes;
    return (chunk) => this.#take(chunk);
  }

  /** Throws SkimmerError where the body ended before the range did. */
  check(): void {
    if (this.#left <= 0 || this.#left === Number.POSITIVE_INFINITY) return;
    throw new SkimmerError("origin_failed", `${shownUrl(this.#request.url)} sent fewer bytes than it announced`, { retriable: true });
  }

  #take(chunk: Buffer): void | Promise<void> {
    if (this.#skip === 0 && chunk.length <= this.#left) {
      this.#left -= chunk.length;
      return this.#sink(chunk);
    }
    const from = Math.min(this.#skip, chunk.length);
    this.#skip -= from;
    const part = chunk.subarray(from, from + Math.min(chunk.length - from, this.#left));
    this.#left -= part.length;
    return part.length > 0 ? this.#sink(part) : undefined;
  }
}
