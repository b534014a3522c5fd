/**
 * One HTTP request to an origin with redirects followed, its body handed on chunk by chunk without a stream in between.
 * Drives undici. Credentials are dropped when a redirect leads to another host; every wait has a limit.
 */
import type { Dispatcher } from "undici";
import { SkimmerError } from "../system/errors.ts";
import type { HttpAnswer } from "./http-answers.ts";
import { basicAuthorization, headerText, isCredential, mayShareCredentials, shownUrl } from "./http-headers.ts";
import type { AskOptions } from "./types.ts";

const MOST_REDIRECTS = 10;
const MOST_URL_LENGTH = 16 * 1024;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface ExchangeRequest {
  readonly url: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The last answer, and the request that led to it: not the first one where there were redirects. */
export interface Exchanged {
  readonly answer: HttpAnswer;
  readonly asked: ExchangeRequest;
}

/**
 * Decides on the answer: gives what takes the body's chunks, or undefined where the body is not wanted.
 * A promise from the sink holds the body back until it resolves.
 */
export type AnswerHandler = (answer: HttpAnswer) => ((chunk: Buffer) => void | Promise<void>) | undefined;

/** Resolves when the body ended (or was not wanted). Rejects with SkimmerError. */
export async function exchange(
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  handler: AnswerHandler,
  options: AskOptions,
): Promise<Exchanged> {
  let asked = withBasicAuthorization(request);
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const answer = await once(dispatcher, asked, handler, options);
    const location = REDIRECTS.has(answer.status) ? headerText(answer.headers, "location") : undefined;
    if (location === undefined) return { answer, asked };
    asked = redirected(asked, location);
  }
  throw new SkimmerError("origin_failed", `${shownUrl(request.url)} redirects more than ${MOST_REDIRECTS} times`);
}

function withBasicAuthorization(request: ExchangeRequest): ExchangeRequest {
  const authorization = basicAuthorization(new URL(request.url));
  if (authorization === undefined || request.headers.authorization !== undefined) return request;
  return { url: request.url, headers: { ...request.headers, authorization } };
}

function redirected(asked: ExchangeRequest, location: string): ExchangeRequest {
  const next = location.length <= MOST_URL_LENGTH && URL.canParse(location, asked.url) ? new URL(location, asked.url) : undefined;
  if (next === undefined || !["http:", "https:"].includes(next.protocol))
    throw new SkimmerError("origin_failed", `${shownUrl(asked.url)} redirects to an address that cannot be used`);
  if (mayShareCredentials(new URL(asked.url), next)) return { url: next.href, headers: asked.headers };
  return { url: next.href, headers: Object.fromEntries(Object.entries(asked.headers).filter(([name]) => !isCredential(name))) };
}

function once(dispatcher: Dispatcher, request: ExchangeRequest, handler: AnswerHandler, options: AskOptions): Promise<HttpAnswer> {
  const { signal, onAnswer } = options;
  const { origin, pathname, search } = new URL(request.url);
  return new Promise((resolve, reject) => {
    let control: Dispatcher.DispatchController | undefined;
    let sink: ReturnType<AnswerHandler>;
    let answer: HttpAnswer | undefined;
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
          // aborted while it waited for a connection
          if (settled) controller.abort(new Error("nobody waits for this request"));
        },
        onResponseStart: (controller, status, headers) => {
          const made: HttpAnswer = { status, headers, url: request.url };
          answer = made;
          try {
            onAnswer?.(status);
            sink = REDIRECTS.has(status) ? undefined : handler(made);
          } catch (error) {
            return fail(error);
          }
          if (sink !== undefined) return;
          // a body that nobody wants: leave the connection rather than read it
          settle(() => resolve(made));
          if (!isShort(made)) controller.abort(new Error("body not wanted"));
        },
        onResponseData: (controller, chunk) => {
          // undici hands an empty chunk on after each pause
          if (sink === undefined || settled || chunk.length === 0) return;
          const held = guard(() => sink?.(chunk), fail);
          if (held === undefined) return;
          controller.pause();
          held.then(() => controller.resume(), fail);
        },
        onResponseEnd: () => settle(() => resolve(answer as HttpAnswer)),
        onResponseError: (_, error) => fail(error),
      },
    );
  });
}

/** A body so short that reading it is cheaper than a new connection: error pages, redirects. */
function isShort(answer: HttpAnswer): boolean {
  const length = headerText(answer.headers, "content-length");
  return length !== undefined && Number(length) <= 4096;
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
/** undici tells a proxy's status in words only. */
const PROXY_ANSWER = /^Proxy [^(]*\((\d{3})\)/;
const CERTIFICATE = /^(CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

function asOriginError(thrown: unknown, url: string): unknown {
  if (thrown instanceof SkimmerError) return thrown;
  const error = thrown as NodeJS.ErrnoException & { name?: string };
  if (error?.name === "AbortError" || error?.name === "TimeoutError") return thrown;
  const host = new URL(url).host;
  const code = error?.code ?? "";
  const proxyStatus = PROXY_ANSWER.exec(error?.message ?? "")?.[1];
  if (proxyStatus !== undefined) return asProxyError(Number(proxyStatus), host, thrown);
  if (UNREACHABLE.has(code)) {
    const cause = code === "ENOTFOUND" || code === "EAI_AGAIN" ? "the host name cannot be resolved" : error.message;
    return new SkimmerError("origin_unreachable", `cannot reach ${host}: ${cause}`, {
      retriable: true,
      cause: thrown,
      hint: "Check the URL, the network and the proxy settings.",
    });
  }
  if (CERTIFICATE.test(code)) {
    return new SkimmerError("origin_unreachable", `cannot trust ${host}: ${error.message}`, {
      cause: thrown,
      hint: "Give the authority's certificate with --origin-ca FILE.",
    });
  }
  return new SkimmerError("origin_failed", `the connection to ${host} broke: ${error?.message ?? String(thrown)}`, {
    retriable: true,
    cause: thrown,
  });
}

function asProxyError(status: number, host: string, cause: unknown): SkimmerError {
  const isRefusal = status === 407;
  return new SkimmerError(isRefusal ? "origin_refused" : "origin_unreachable", `the proxy answered ${status} on the way to ${host}`, {
    status,
    retriable: status >= 500,
    cause,
    hint: isRefusal ? "Put user and password into the proxy variable: http://USER:PASSWORD@HOST:PORT." : "Check the proxy variables.",
  });
}
