/**
 * A view of the supernode that stays current: server-sent events, opened again whenever they break, closed while nobody looks.
 */
import { applyDelta } from "./apply-delta.ts";
import { byId, setNotice, setText } from "./dom.ts";
import type { Delta, Row, View } from "./shapes.ts";

const RETRY_MS = 3_000;

export interface LiveOptions<F, R extends Row> {
  /** URL of the view. */
  readonly url: () => string;
  /** Called with each new state; `fresh`: it does not go on from the one before. */
  readonly show: (view: View<F, R>, fresh: boolean) => void;
  /** What was shown is no more. */
  readonly onGone?: () => void;
}

export class LiveView<F, R extends Row> {
  readonly #options: LiveOptions<F, R>;
  #source: EventSource | undefined;
  #view: View<F, R> | undefined;
  #timer: number | undefined;

  constructor(options: LiveOptions<F, R>) {
    this.#options = options;
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#open();
      else this.#close();
    });
    this.#open();
  }

  /** The URL has changed. */
  reload(): void {
    this.#close();
    this.#open();
  }

  #open(): void {
    if (this.#source !== undefined) return;
    window.clearTimeout(this.#timer);
    const source = new EventSource(this.#options.url());
    this.#source = source;
    const on = (name: string, act: (data: unknown) => void): void =>
      source.addEventListener(name, (event) => {
        if (this.#source === source) act(JSON.parse((event as MessageEvent<string>).data));
      });
    on("view", (data) => this.#show(data as View<F, R>, true));
    on("change", (data) => {
      if (this.#view !== undefined) this.#show(applyDelta(this.#view, data as Delta<R>), false);
    });
    on("gone", () => {
      this.#close();
      this.#options.onGone?.();
    });
    source.addEventListener("error", () => {
      if (this.#source !== source) return;
      showLink("lost", "reconnecting");
      if (source.readyState === EventSource.CLOSED) void this.#explain(source.url);
    });
  }

  #close(): void {
    window.clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = undefined;
  }

  #show(view: View<F, R>, fresh: boolean): void {
    this.#view = view;
    showLink("live", "live");
    setNotice(byId("notice"), "");
    this.#options.show(view, fresh);
  }

  /** The browser gave up, because the answer was no stream: says why, and tries again. */
  async #explain(url: string): Promise<void> {
    this.#close();
    const answer = await fetch(url, { headers: { accept: "application/json" } }).catch(() => undefined);
    if (answer?.status === 404 && this.#options.onGone !== undefined) {
      this.#options.onGone();
      return;
    }
    const body = (await answer?.json().catch(() => undefined)) as { error?: { message?: string } } | undefined;
    if (body?.error?.message !== undefined) setNotice(byId("notice"), body.error.message);
    this.#timer = window.setTimeout(() => this.#open(), RETRY_MS);
  }
}

function showLink(state: "live" | "lost", text: string): void {
  const link = byId("link");
  if (link.dataset.state !== state) link.dataset.state = state;
  setText("link-text", text);
}
