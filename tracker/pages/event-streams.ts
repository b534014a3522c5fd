/**
 * Views as server-sent events: all listeners of a view share one, made every two seconds, and get what changed of it. Drives.
 *
 * Bounded: listeners in all and by address, different views, bytes that wait for a slow listener, who is ended rather than waited for, and the age of
 * a stream, so that whoever may see it no more is asked again. Making views takes at most a twentieth of the time, since announces are answered by the
 * same thread: the more there is to show, the more seldom it is shown, and views that were not made yet are refused for a moment.
 */
import type { ServerResponse } from "node:http";
import { setImmediate as breathe } from "node:timers/promises";
import { SkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import type { View } from "./browser/shapes.ts";
import { diffViews } from "./diff-views.ts";

const MOST_LISTENERS = 1000;
const MOST_PER_ADDRESS = 100;
const MOST_TOPICS = 100;
const MOST_WAITING_BYTES = 512 * 1024;
const ROUND_MS = 2_000;
const IDLE_SHARE = 20;
const HEART_BEAT_MS = 15_000;
const MOST_AGE_MS = 10 * 60_000;
/** A browser comes back after so long. */
const RETRY_MS = 1_000;
/** Views that nobody shares may be made for so long at once, which fills again in IDLE_SHARE times that. */
const MOST_SPENT_MS = 2_000;

/** A view, and what tells it from others. */
export interface ViewAsk {
  readonly key: string;
  readonly make: () => View;
}

interface Topic {
  readonly make: () => View;
  /** With the time until which it may listen. */
  readonly listeners: Map<ServerResponse, number>;
  view: View;
}

export class EventStreams implements Disposable {
  readonly #logger: Logger;
  readonly #topics = new Map<string, Topic>();
  readonly #addresses = new Map<string, number>();
  #listeners = 0;
  #timer: NodeJS.Timeout | undefined;
  #beatMs = 0;
  #closed = false;
  #spentMs = 0;
  #spentAtMs = 0;

  constructor(options: { logger: Logger }) {
    this.#logger = options.logger;
  }

  get size(): number {
    return this.#listeners;
  }

  /** The view as it is; as it was a moment ago, where others listen to it. Throws SkimmerError `busy`, or what `make` throws. */
  show({ key, make }: ViewAsk): View {
    return this.#topics.get(key)?.view ?? this.#makeUnshared(make);
  }

  /** Sends the view, and its changes, until the listener goes or its time is up. Throws SkimmerError `busy`, or what `make` throws. */
  listen(response: ServerResponse, listener: ViewAsk & { readonly address: string }): void {
    const { key, address, make } = listener;
    // it left while its right was looked up: nobody would tell us again
    if (response.destroyed || response.closed) return;
    const ofAddress = this.#addresses.get(address) ?? 0;
    const known = this.#topics.get(key);
    if (this.#listeners >= MOST_LISTENERS || ofAddress >= MOST_PER_ADDRESS || (known === undefined && this.#topics.size >= MOST_TOPICS))
      throw new SkimmerError("busy", "too many pages of this supernode are open", { retriable: true, hint: "Close some, and reload." });
    const topic: Topic = known ?? { make, listeners: new Map(), view: this.#makeUnshared(make) };
    this.#topics.set(key, topic);
    topic.listeners.set(response, performance.now() + MOST_AGE_MS);
    this.#listeners++;
    this.#addresses.set(address, ofAddress + 1);
    response.on("error", () => response.destroy());
    response.once("close", () => this.#leave(key, topic, response, address));
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no" });
    response.write(`retry: ${RETRY_MS}\n${event("view", topic.view)}`);
    this.#schedule(ROUND_MS);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { listeners } of this.#topics.values()) for (const response of listeners.keys()) response.end();
  }

  #makeUnshared(make: () => View): View {
    const startMs = performance.now();
    this.#spentMs = Math.max(0, this.#spentMs - (startMs - this.#spentAtMs) / IDLE_SHARE);
    this.#spentAtMs = startMs;
    if (this.#spentMs >= MOST_SPENT_MS)
      throw new SkimmerError("busy", "too much is asked of this page", { retriable: true, hint: "Try again in a minute." });
    try {
      return make();
    } finally {
      this.#spentMs += performance.now() - startMs;
    }
  }

  #leave(key: string, topic: Topic, response: ServerResponse, address: string): void {
    topic.listeners.delete(response);
    if (topic.listeners.size === 0 && this.#topics.get(key) === topic) this.#topics.delete(key);
    this.#listeners--;
    const left = (this.#addresses.get(address) ?? 1) - 1;
    if (left > 0) this.#addresses.set(address, left);
    else this.#addresses.delete(address);
  }

  /** Runs only while somebody listens. */
  #schedule(afterMs: number): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      void this.#round().then((busyMs) => {
        this.#timer = undefined;
        if (this.#topics.size > 0) this.#schedule(Math.max(ROUND_MS, busyMs * IDLE_SHARE));
      });
    }, afterMs);
    this.#timer.unref();
  }

  /** Makes each view once; answers how long that took. Never rejects. */
  async #round(): Promise<number> {
    let busyMs = 0;
    const beats = performance.now() - this.#beatMs >= HEART_BEAT_MS;
    if (beats) this.#beatMs = performance.now();
    for (const topic of this.#topics.values()) {
      await breathe();
      const startMs = performance.now();
      this.#tell(topic, beats);
      busyMs += performance.now() - startMs;
    }
    return busyMs;
  }

  #tell(topic: Topic, beats: boolean): void {
    try {
      const view = topic.make();
      const delta = diffViews(topic.view, view);
      topic.view = view;
      const text = delta === undefined ? (beats ? ":\n\n" : "") : event("change", delta);
      for (const [response, untilMs] of topic.listeners) {
        if (performance.now() > untilMs) response.writableEnded ? response.destroy() : response.end();
        else if (text !== "") send(response, text);
      }
    } catch (error) {
      // what was shown is no more: whoever asks again is told so
      this.#logger.debug({ err: String(error) }, "a page's view cannot be made");
      for (const response of topic.listeners.keys()) response.end(event("gone", {}));
    }
  }
}

/** A listener that does not read is no listener. */
function send(response: ServerResponse, text: string): void {
  if (response.writableLength > MOST_WAITING_BYTES) response.destroy();
  else if (response.writable) response.write(text);
}

function event(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
