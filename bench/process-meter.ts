/**
 * CPU time and peak memory of other processes, read from /proc while they run.
 * Elsewhere than on Linux there is no /proc: everything reads 0.
 */
import { readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;
const KIB = 1024;

/** Figures of one process at one moment. */
export interface Usage {
  /** User and system time, its ended threads and waited-for children included. */
  readonly cpuSeconds: number;
  /** Highest resident memory so far; counts mapped files that are in memory. */
  readonly peakBytes: number;
}

const NOTHING: Usage = { cpuSeconds: 0, peakBytes: 0 };

/** Zeroes where the process is gone. */
export function usageOf(pid: number): Usage {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const peak = /^VmHWM:\s+(\d+) kB/m.exec(status);
    return { cpuSeconds: ticks / TICKS_PER_SECOND, peakBytes: Number(peak?.[1] ?? 0) * KIB };
  } catch {
    return NOTHING;
  }
}

const SAMPLE_MS = 50;

/** Watches a process that may end by itself: keeps the last figures that it had. */
export class ProcessMeter implements Disposable {
  readonly #pid: number;
  readonly #start: Usage;
  readonly #timer: NodeJS.Timeout;
  #last: Usage;

  constructor(pid: number) {
    this.#pid = pid;
    this.#start = this.#last = usageOf(pid);
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** CPU time since the start; peak memory of the whole life. */
  get usage(): Usage {
    this.#sample();
    return { cpuSeconds: this.#last.cpuSeconds - this.#start.cpuSeconds, peakBytes: this.#last.peakBytes };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const now = usageOf(this.#pid);
    if (now.peakBytes > 0) this.#last = now;
  }
}
