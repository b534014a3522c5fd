/**
 * Dispatchers for callers that say themselves whom to trust at their origin: one for each such trust, so that nobody else's requests go
 * over its connections. Drives undici. Bounded: the one that was used longest ago ends when its requests have.
 */
import type { Dispatcher } from "undici";
import type { OriginTls } from "../torrents/task-api.ts";
import { type DispatcherOptions, openDispatcher } from "./http-dispatcher.ts";

const MOST_DISPATCHERS = 32;

export class TrustingDispatchers {
  readonly #dispatchers = new Map<string, Dispatcher>();

  /** Like `options`, and trusting what `tls` says besides. */
  get(tls: OriginTls, options: DispatcherOptions): Dispatcher {
    const key = JSON.stringify([tls.ca, tls.insecure === true, options.guard?.loopback]);
    const dispatcher =
      this.#dispatchers.get(key) ??
      openDispatcher({ ...options, ca: tls.ca, insecure: options.insecure === true || tls.insecure === true });
    this.#dispatchers.delete(key);
    this.#dispatchers.set(key, dispatcher);
    if (this.#dispatchers.size > MOST_DISPATCHERS) this.#dropOldest();
    return dispatcher;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
  }

  #dropOldest(): void {
    const [key, dispatcher] = this.#dispatchers.entries().next().value as [string, Dispatcher];
    this.#dispatchers.delete(key);
    dispatcher.close().catch(() => undefined);
  }
}
