/**
 * Shows downloads to a person: a bar for each, drawn over, on a terminal; a plain line now and then elsewhere; one last
 * line for each. Drives standard error and standard output.
 * Invariant: nothing is written between bars: they are taken away first.
 */
import { basename } from "node:path";
import type { SkimmerError } from "../../system/errors.ts";
import type { DoneEvent, DownloadEvent, ProgressEvent } from "../daemon/daemon-api.ts";
import type { Job } from "./dfget-settings.ts";
import { doneLine, printable, progressLine } from "./progress-text.ts";
import type { Reporter } from "./run-jobs.ts";

const PLAIN_INTERVAL_MS = 5_000;
const DRAW_INTERVAL_MS = 100;
const DEFAULT_COLUMNS = 80;
const PLAIN_COLUMNS = DEFAULT_COLUMNS + 40;
const MOST_BARS = 20;
const CLEAR_LINE = "\r\u001b[K";
const UP_AND_CLEAR = "\u001b[A\r\u001b[K";

export interface DisplayOptions {
  readonly progress: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** How many downloads there are: a single one needs no name in front. */
  readonly several: boolean;
}

export class Display implements Reporter {
  readonly #stream: NodeJS.WriteStream;
  readonly #options: DisplayOptions;
  readonly #running = new Map<Job, ProgressEvent>();
  readonly #plainAtMs = new Map<Job, number>();
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  #drawnLines = 0;

  constructor(stream: NodeJS.WriteStream, options: DisplayOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  event(job: Job, event: DownloadEvent): void {
    if (event.event === "warning" && !this.#options.quiet) this.note(event.message);
    if (event.event === "start") {
      this.#plainAtMs.set(job, this.#plainAtMs.get(job) ?? performance.now());
      if (this.#options.verbose)
        this.note(`${this.#nameOf(job)}: ${event.lengthBytes ?? "?"} bytes by ${event.route}, ${event.infoHash ?? "no torrent"}`);
    }
    if (event.event === "progress" && this.#options.progress) this.#onProgress(job, event);
  }

  done(job: Job, done: DoneEvent): void {
    this.#remove(job);
    if (this.#options.quiet) return;
    // Where standard output carries the content, words go elsewhere.
    const stream = job.output === undefined ? this.#stream : process.stdout;
    stream.write(`${doneLine(done)}\n`);
  }

  failed(job: Job | undefined, error: SkimmerError): void {
    if (job !== undefined) this.#remove(job);
    this.note(job === undefined ? error.message : `${job.url}: ${error.message}`);
    if (error.hint !== undefined) this.#stream.write(`${printable(error.hint)}\n`);
  }

  /** A line of its own, above the bars. */
  note(message: string): void {
    this.#clear();
    this.#stream.write(`dfget: ${printable(message)}\n`);
  }

  summary({ downloads, failed }: { downloads: number; failed: number }): void {
    if (failed > 0) this.note(`${failed} of ${downloads} downloads failed`);
  }

  end(): void {
    this.#clear();
    this.#running.clear();
  }

  #onProgress(job: Job, event: ProgressEvent): void {
    this.#running.set(job, event);
    const nowMs = performance.now();
    if (this.#stream.isTTY) {
      if (nowMs - this.#drawnAtMs >= DRAW_INTERVAL_MS) this.#draw(nowMs);
    } else if (nowMs - (this.#plainAtMs.get(job) ?? nowMs) >= PLAIN_INTERVAL_MS) {
      this.#plainAtMs.set(job, nowMs);
      this.#stream.write(`${this.#line(job, event, PLAIN_COLUMNS)}\n`);
    }
  }

  #draw(nowMs: number): void {
    const { columns, rows } = this.#stream;
    const shown = [...this.#running].slice(0, Math.min(MOST_BARS, Math.max(1, (rows ?? MOST_BARS) - 1)));
    const lines = shown.map(([job, event]) => this.#line(job, event, (columns ?? DEFAULT_COLUMNS) - 1));
    this.#clear();
    this.#stream.write(lines.join("\n"));
    this.#drawnLines = lines.length;
    this.#drawnAtMs = nowMs;
  }

  #line(job: Job, event: ProgressEvent, columns: number): string {
    return progressLine(event, columns, this.#options.several ? this.#nameOf(job) : undefined);
  }

  #nameOf(job: Job): string {
    return printable(job.output === undefined ? job.url : basename(job.output));
  }

  #remove(job: Job): void {
    this.#clear();
    this.#running.delete(job);
    this.#plainAtMs.delete(job);
  }

  #clear(): void {
    if (this.#drawnLines > 0) this.#stream.write(CLEAR_LINE + UP_AND_CLEAR.repeat(this.#drawnLines - 1));
    this.#drawnLines = 0;
  }
}
