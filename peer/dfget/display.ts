/**
 * Shows a running download: a bar that is drawn over on a terminal, a plain line now and then elsewhere. Drives standard error.
 */
import type { DownloadEvent } from "../daemon/daemon-api.ts";
import { printable, progressLine } from "./progress-text.ts";

const PLAIN_INTERVAL_MS = 5_000;
const DEFAULT_COLUMNS = 80;
const CLEAR_LINE = "\r\u001b[K";

export class Display {
  readonly #stream: NodeJS.WriteStream;
  readonly #progress: boolean;
  #plainAtMs = performance.now();
  #drawn = false;

  constructor(stream: NodeJS.WriteStream, options: { progress: boolean }) {
    this.#stream = stream;
    this.#progress = options.progress;
  }

  show(event: DownloadEvent): void {
    if (event.event === "warning") this.note(event.message);
    if (event.event !== "progress" || !this.#progress) return;
    if (this.#stream.isTTY) {
      this.#stream.write(`${CLEAR_LINE}${progressLine(event, (this.#stream.columns ?? DEFAULT_COLUMNS) - 1)}`);
      this.#drawn = true;
    } else if (performance.now() - this.#plainAtMs >= PLAIN_INTERVAL_MS) {
      this.#plainAtMs = performance.now();
      this.#stream.write(`${progressLine(event, DEFAULT_COLUMNS + 40)}\n`);
    }
  }

  /** A line of its own, above the bar. */
  note(message: string): void {
    this.clear();
    this.#stream.write(`dfget: ${printable(message)}\n`);
  }

  clear(): void {
    if (this.#drawn) this.#stream.write(CLEAR_LINE);
    this.#drawn = false;
  }
}
