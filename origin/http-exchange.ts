/**
 * One HTTP request to an origin with redirects followed, its body handed on chunk by chunk without a stream in between.
 * Drives undici. Credentials are dropped when a redirect leads to another host; every wait has a limit.
 */
import type { Dispatcher } from "undici";
import { SkimmerError } from "../system/errors.ts";
import { type HeaderBag, headerText, isCredential } from "./http-headers.ts";

const MOST_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface ExchangeRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ExchangeResponse {
  readonly status: number;
  readonly headers: HeaderBag;
  /** The URL that answered, after redirects. */
  readonly url: string;
}

/**
 * Decides on the response: answers what takes the body's chunks, or undefined where the body is not wanted.
 * A promise from the sink holds the body back until it resolves.
 */
export type ResponseHandler = (response: ExchangeResponse) => ((chunk: Buffer) => void | Promise<void>) | undefined;

/** Resolves with the response when its body ended (or was not wanted). Rejects with SkimmerError. */
export async function exchange(
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  handler: ResponseHandler,
  signal: AbortSignal,
): Promise<ExchangeResponse> {
  let { url, headers } = request;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const response = await once(dispatcher, { url, headers }, handler, signal);
    const location = headerText(response.headers, "location");
    if (!REDIRECTS.has(response.status) || location === undefined) return response;
    const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
    if (next === undefined || !["http:", "https:"].includes(next.protocol))
      throw new SkimmerError("origin_failed", `${url} redirects to an address that cannot be used`);
    if (next.host !== new URL(url).host)
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !isCredential(name) && name !== "host"));
    url = next.href;
  }
  throw new SkimmerError("origin_failed", `${request.url} redirects more than ${MOST_REDIRECTS} times`);
}

function once(dispatcher: Dispatcher, request: ExchangeRequest, handler: ResponseHandler, signal: AbortSignal): Promise<ExchangeResponse> {
  const { origin, pathname, search } = new URL(request.url);
  return new Promise((resolve, reject) => {
    let control: Dispatcher.DispatchController | undefined;
    let sink: ReturnType<ResponseHandler>;
    let response: ExchangeResponse | undefined;
    let settled = false;
    const settle = (act: () => void): void => {
      if (settled) return;
      settled = true;
      signal.removeEventListener("abort", onAbort);
      act();
    };
    const fail = (error: unknown): void => {
      settle(() => reject(asOriginError(error, request.url)));
      control?.abort(error as Error);
    };
    const onAbort = (): void => fail(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    dispatcher.dispatch(
      { origin, path: pathname + search, method: "GET", headers: { ...request.headers } },
      {
        onRequestStart: (controller) => {
          control = controller;
        },
        onResponseStart: (controller, status, headers) => {
          response = { status, headers, url: request.url };
          try {
            sink = REDIRECTS.has(status) ? undefined : handler(response);
          } catch (error) {
            return fail(error);
          }
          const made = response;
          if (sink !== undefined) return;
          // a body that nobody wants: leave the connection rather than read it
          settle(() => resolve(made));
          controller.abort(new Error("body not wanted"));
        },
        onResponseData: (controller, chunk) => {
          if (sink === undefined || settled) return;
          const held = guard(() => sink?.(chunk), fail);
          if (held === undefined) return;
          controller.pause();
          held.then(() => controller.resume(), fail);
        },
        onResponseEnd: () => settle(() => resolve(response as ExchangeResponse)),
        onResponseError: (_, error) => fail(error),
      },
    );
  });
}

function guard(act: () => void | Promise<void>, fail: (error: unknown) => void): Promise<void> | undefined {
  try {
    return act() ?? undefined;
  } catch (error) {
    fail(error);
    return undefined;
  }
}

const UNREACHABLE = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  "ETIMEDOUT",
]);

function asOriginError(thrown: unknown, url: string): unknown {
  if (thrown instanceof SkimmerError) return thrown;
  const error = thrown as NodeJS.ErrnoException & { name?: string };
  if (error?.name === "AbortError" || error?.name === "TimeoutError") return thrown;
  const host = new URL(url).host;
  const cause =
    error?.code === "ENOTFOUND" || error?.code === "EAI_AGAIN" ? "the host name cannot be resolved" : (error?.message ?? String(thrown));
  if (UNREACHABLE.has(error?.code ?? "")) {
    return new SkimmerError("origin_unreachable", `cannot reach ${host}: ${cause}`, {
      retriable: true,
      cause: thrown,
      hint: "Check the URL, the network and the proxy settings.",
    });
  }
  return new SkimmerError("origin_failed", `the connection to ${host} broke: ${cause}`, { retriable: true, cause: thrown });
}
