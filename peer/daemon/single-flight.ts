/**
 * One piece of work for all who ask for the same thing at the same time. Drives nothing by itself.
 * The work is aborted when the last who waits has left. Invariant: at most one work per key is in progress.
 */
interface Flight<T> {
  readonly control: AbortController;
  readonly result: Promise<T>;
  waiting: number;
}

export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /** Begins the work, or joins it. Rejects with the reason of `signal` when that aborts. */
  async run(key: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#begin(key, work);
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    flight.waiting++;
    try {
      return await Promise.race([flight.result, left.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
      if (--flight.waiting === 0) this.#end(key, flight);
    }
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const control = new AbortController();
    const flight: Flight<T> = { control, result: work(control.signal), waiting: 0 };
    this.#flights.set(key, flight);
    const landed = (): void => this.#end(key, flight);
    flight.result.then(landed, landed);
    return flight;
  }

  #end(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    flight.control.abort();
  }
}
