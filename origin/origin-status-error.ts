/**
 * An HTTP status that is no success, as an error that knows when to come back. Decides: now is an argument.
 */
import { SkimmerError } from "../system/errors.ts";
import type { HttpAnswer } from "./http-answers.ts";
import { headerText, shownUrl } from "./http-headers.ts";
import { parseRetryAfter } from "./retry-delay.ts";

export class OriginStatusError extends SkimmerError {
  /** What Retry-After asked for; undefined: nothing. */
  readonly retryAfterMs: number | undefined;

  constructor(answer: HttpAnswer, nowEpochMs: number) {
    const { status } = answer;
    super(codeOf(status), `${shownUrl(answer.url)} answered ${status}`, {
      status,
      retriable: status === 408 || status === 429 || status >= 500,
      hint: hintOf(status),
    });
    this.retryAfterMs = parseRetryAfter(headerText(answer.headers, "retry-after"), nowEpochMs);
  }

  /** True where the origin has too much to do, and should be left alone for a while. */
  get isBusy(): boolean {
    return this.status === 429 || this.status === 503;
  }
}

function codeOf(status: number) {
  if (status === 401 || status === 403 || status === 407) return "origin_refused" as const;
  return status === 404 || status === 410 ? ("origin_not_found" as const) : ("origin_failed" as const);
}

function hintOf(status: number): string | undefined {
  if (status === 401 || status === 403) return "Give credentials with --header 'Authorization: …'.";
  if (status === 407) return "Put user and password into the proxy variable: http://USER:PASSWORD@HOST:PORT.";
  return status === 404 ? "Check the URL." : undefined;
}
