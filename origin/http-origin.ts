/**
 * Origins that speak http and https. Probes by a one-byte range GET: many refuse HEAD, and signed URLs allow only GET.
 *
 * A read goes straight to where the last one was redirected, since many servers sign a new URL on each redirect; when that
 * place refuses, it begins anew at the URL that was asked for. Probes always do: they ask whether this caller may.
 */
import type { Dispatcher } from "undici";
import type { ConnectGuard } from "../system/guarded-connect.ts";
import { type HttpAnswer, readProbe } from "./http-answers.ts";
import { type DispatcherOptions, openDispatcher } from "./http-dispatcher.ts";
import { type AnswerHandler, type ExchangeRequest, exchange } from "./http-exchange.ts";
import { headerLength, ifRangeValue } from "./http-headers.ts";
import { OriginStatusError } from "./origin-status-error.ts";
import { RangeBody } from "./range-body.ts";
import { RedirectCache } from "./redirect-cache.ts";
import { TrustingDispatchers } from "./trusting-dispatchers.ts";
import type { AskOptions, ChunkSink, Origin, OriginRequest, Probe, ReadRange } from "./types.ts";

export interface HttpOriginOptions extends Omit<DispatcherOptions, "guard"> {
  /** Sent where the caller sends none. */
  readonly userAgent?: string;
  /** Where callers' URLs may lead; absent: anywhere. */
  readonly reach?: Omit<ConnectGuard, "loopback">;
}

/** A longer answer to a probe is left unread. */
const MOST_PROBE_BYTES = 4096;

/** Opens the back end; connections are kept and shared between requests. Honours the proxy variables. */
export function openHttpOrigin(options: HttpOriginOptions = {}): Origin {
  return new HttpOrigin(options);
}

class HttpOrigin implements Origin {
  readonly #dispatcher: Dispatcher;
  /** For callers on this machine: connections of its own, so that others do not come by one of them. */
  readonly #local: Dispatcher;
  readonly #options: HttpOriginOptions;
  readonly #trusting = new TrustingDispatchers();
  readonly #userAgent: string;
  readonly #redirects = new RedirectCache();

  constructor(options: HttpOriginOptions) {
    const { reach } = options;
    this.#options = options;
    this.#dispatcher = openDispatcher({ ...options, guard: reach && { ...reach, loopback: false } });
    this.#local = reach === undefined ? this.#dispatcher : openDispatcher({ ...options, guard: { ...reach, loopback: true } });
    this.#userAgent = options.userAgent ?? "skimmer";
  }

  async probe(request: OriginRequest, options: AskOptions): Promise<Probe> {
    const first = request.window?.firstByte ?? 0;
    const headers = { ...this.#headers(request), range: `bytes=${first}-${first}` };
    const { answer } = await exchange(this.#dispatcherFor(request), { url: request.url, headers }, probeSink, options);
    if (![200, 206, 416].includes(answer.status)) throw new OriginStatusError(answer, Date.now());
    return readProbe(request, answer);
  }

  async read(request: OriginRequest, range: ReadRange, sink: ChunkSink, options: AskOptions): Promise<void> {
    const body = new RangeBody(request, range, sink);
    const handler = (answer: HttpAnswer): ReturnType<RangeBody["begin"]> => {
      if (answer.status !== 200 && answer.status !== 206) throw new OriginStatusError(answer, Date.now());
      return body.begin(answer);
    };
    const common = this.#headers(request);
    const ranged = rangeHeaders(request, range);
    const dispatcher = this.#dispatcherFor(request);
    const key = JSON.stringify([request.url, request.headers, request.loopback === true, request.tls]);
    const place = this.#redirects.get(key, performance.now());
    if (place !== undefined) {
      const again = { url: place.url, headers: { ...place.headers, ...ranged } };
      if (await this.#answers(again, { dispatcher, handler, body, options })) return body.check();
      this.#redirects.delete(key);
    }
    const { asked } = await exchange(dispatcher, { url: request.url, headers: { ...common, ...ranged } }, handler, options);
    if (asked.url !== request.url) {
      const { range: _range, "if-range": _ifRange, ...headers } = asked.headers;
      this.#redirects.set(key, { url: asked.url, headers }, performance.now());
    }
    body.check();
  }

  /** Reads from a remembered place; false where it does not answer well any more. */
  async #answers(
    request: ExchangeRequest,
    read: { dispatcher: Dispatcher; handler: AnswerHandler; body: RangeBody; options: AskOptions },
  ): Promise<boolean> {
    try {
      await exchange(read.dispatcher, request, read.handler, read.options);
      return true;
    } catch (error) {
      if (read.body.begun || read.options.signal.aborted) throw error;
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#trusting.close();
    await Promise.all([this.#dispatcher.destroy(), this.#local === this.#dispatcher ? undefined : this.#local.destroy()]);
  }

  #dispatcherFor({ loopback, tls }: OriginRequest): Dispatcher {
    const { reach } = this.#options;
    if (tls !== undefined) return this.#trusting.get(tls, { ...this.#options, guard: reach && { ...reach, loopback: loopback === true } });
    return loopback === true ? this.#local : this.#dispatcher;
  }

  #headers(request: OriginRequest): Record<string, string> {
    const headers: Record<string, string> = { "user-agent": this.#userAgent };
    for (const [name, value] of Object.entries(request.headers))
      if (!HOP_HEADERS.has(name.toLowerCase())) headers[name.toLowerCase()] = value;
    return { ...headers, "accept-encoding": "identity" };
  }
}

/** Reads the byte that was asked for, but no body that an origin sends instead. */
function probeSink(answer: HttpAnswer): (() => void) | undefined {
  const length = headerLength(answer.headers, "content-length");
  return answer.status === 206 && length !== undefined && length <= MOST_PROBE_BYTES ? () => undefined : undefined;
}

function rangeHeaders(request: OriginRequest, range: ReadRange): Record<string, string> {
  const offset = request.window?.firstByte ?? 0;
  if (range.lastByte === undefined && range.firstByte + offset === 0) return {};
  const last = range.lastByte === undefined ? "" : range.lastByte + offset;
  const ifRange = ifRangeValue(range.validators);
  return { range: `bytes=${range.firstByte + offset}-${last}`, ...(ifRange === undefined ? {} : { "if-range": ifRange }) };
}

/** Headers that belong to one connection, or that we set ourselves. */
const HOP_HEADERS = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "content-length",
  "expect",
  "range",
  "if-range",
  "accept-encoding",
  "host",
]);
