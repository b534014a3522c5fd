/**
 * Downloads as JSON for programs: one object a line for each event (docs/dfget.md), the last line is the outcome. Drives
 * standard output; standard error where standard output carries the content.
 */
import type { SkimmerError } from "../../system/errors.ts";
import type { DoneEvent, DownloadEvent } from "../daemon/daemon-api.ts";
import type { Job } from "./dfget-settings.ts";
import type { Reporter } from "./run-jobs.ts";

export class JsonReport implements Reporter {
  readonly #stream: NodeJS.WriteStream;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  event(job: Job, event: DownloadEvent): void {
    this.#print({ ...event, url: job.url });
  }

  done(job: Job, done: DoneEvent): void {
    this.#print({ ...done, url: job.url });
  }

  failed(job: Job | undefined, { code, message, hint }: SkimmerError): void {
    this.#print({ event: "error", url: job?.url, status: "error", code, message, hint });
  }

  note(message: string): void {
    this.#print({ event: "warning", message });
  }

  end(): void {
    // each line is whole by itself
  }

  /** The last line where there were several downloads. */
  summary(counts: { downloads: number; failed: number }): void {
    this.#print({ event: "summary", status: counts.failed === 0 ? "ok" : "error", ...counts });
  }

  #print(value: unknown): void {
    this.#stream.write(`${JSON.stringify(value)}\n`);
  }
}
