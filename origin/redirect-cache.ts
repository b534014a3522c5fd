/**
 * Where requests ended after redirects, so that the next range goes there at once. Decides: time is an argument.
 * At most MOST_ENTRIES; the oldest goes first.
 */
import type { ExchangeRequest } from "./http-exchange.ts";

const MOST_ENTRIES = 256;
/** Then the first URL is asked again, whatever happens: it may point elsewhere by now. */
const KEEP_MS = 300_000;

export class RedirectCache {
  readonly #entries = new Map<string, { readonly request: ExchangeRequest; readonly atMs: number }>();

  get(key: string, nowMs: number): ExchangeRequest | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && nowMs - entry.atMs < KEEP_MS ? entry.request : undefined;
  }

  set(key: string, request: ExchangeRequest, nowMs: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { request, atMs: nowMs });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > MOST_ENTRIES) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
