/**
 * Rates of reading the origin from this host: per task, below the host's. Drives the limiter's timer while somebody waits.
 */
import type { Throttle } from "../../origin/piece-run.ts";
import type { Clock } from "../../system/clock.ts";
import { Limiter } from "../../system/limiter.ts";

export class OriginThrottle {
  readonly #clock: Clock;
  readonly #host: Limiter;

  /** `bytesPerSecond` of the whole host; 0 is unlimited. */
  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#host = new Limiter(clock, bytesPerSecond);
  }

  /** A throttle for one task; its rate is asked for again each time. */
  forTask(bytesPerSecond: () => number): Throttle {
    const limiter = new Limiter(this.#clock, bytesPerSecond(), this.#host);
    return (bytes) => {
      if (limiter.bytesPerSecond !== bytesPerSecond()) limiter.setRate(bytesPerSecond());
      return limiter.tryTake(bytes, ignore) ? undefined : take(limiter, bytes);
    };
  }

  /** Holds at once; 0 is unlimited. */
  setRate(bytesPerSecond: number): void {
    this.#host.setRate(bytesPerSecond);
  }

  close(): void {
    this.#host.close();
  }
}

async function take(limiter: Limiter, bytes: number): Promise<void> {
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (limiter.tryTake(bytes, resolve)) return;
    await promise;
  }
}

function ignore(): void {
  // asked only whether it may go on at once
}
