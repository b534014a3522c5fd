/**
 * The daemon's answer to a download, cut into events and content (daemon-api.ts). Decides.
 * Invariant: however the bytes arrive, the same events come out, and no more than one line is kept.
 */
import { SkimmerError } from "../../system/errors.ts";
import type { DownloadEvent, ErrorEvent } from "../daemon/daemon-api.ts";

/** More than the daemon ever sends at once. */
const MAX_DATA_BYTES = 64 * 1024 * 1024;
const MAX_LINE_BYTES = 1024 * 1024;
const NEWLINE = 10;

/** An event, or the next bytes of the content (a part of one `data` event). */
export type StreamItem = { readonly kind: "event"; readonly event: DownloadEvent } | { readonly kind: "content"; readonly bytes: Buffer };

export class EventStream {
  readonly #status: number;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #contentLeft = 0;

  /** `status` of the HTTP answer, for messages. */
  constructor(status: number) {
    this.#status = status;
  }

  /** Everything that these bytes complete. Content is a view of `chunk`. Throws SkimmerError `protocol`. */
  *push(chunk: Buffer): Generator<StreamItem> {
    for (let at = 0; at < chunk.length; ) {
      if (this.#contentLeft > 0) {
        const bytes = chunk.subarray(at, at + this.#contentLeft);
        this.#contentLeft -= bytes.length;
        at += bytes.length;
        yield { kind: "content", bytes };
        continue;
      }
      const end = chunk.indexOf(NEWLINE, at);
      this.#keep(chunk.subarray(at, end < 0 ? chunk.length : end));
      if (end < 0) return;
      at = end + 1;
      const event = this.#takeLine();
      if (event.event === "data") this.#contentLeft = this.#checkLength(event.length);
      else yield { kind: "event", event };
    }
  }

  #keep(part: Buffer): void {
    this.#lineBytes += part.length;
    if (this.#lineBytes > MAX_LINE_BYTES) throw new SkimmerError("protocol", "the daemon sends a line without end");
    this.#line.push(part);
  }

  /** A line of the stream, or the error body of a refused request as the event that it amounts to. */
  #takeLine() {
    const text = Buffer.concat(this.#line, this.#lineBytes).toString("utf8");
    this.#line = [];
    this.#lineBytes = 0;
    try {
      const value = JSON.parse(text) as DownloadEvent | { event: "data"; length: number } | { error: Omit<ErrorEvent, "event"> };
      if ("event" in value) return value;
      return { event: "error", ...value.error } as const;
    } catch (cause) {
      throw new SkimmerError("protocol", `the daemon answered HTTP ${this.#status} without JSON`, {
        hint: "Is another program listening on the socket?",
        cause,
      });
    }
  }

  #checkLength(length: number): number {
    if (Number.isInteger(length) && length >= 0 && length <= MAX_DATA_BYTES) return length;
    throw new SkimmerError("protocol", "the daemon announces content of an impossible length");
  }
}
