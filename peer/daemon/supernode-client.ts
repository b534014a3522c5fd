/**
 * Registers a download at the first supernode of the list that gives a usable answer. Drives.
 *
 * What the origin said through the supernode (refused, not found …) is the answer and ends the search. A supernode that
 * cannot be reached, is slow, or answers nonsense is set aside (supernode-list.ts), and the next one is asked; a request
 * that may not read the origin has nobody else, and asks those set aside as well.
 */
import type { Clock } from "../../system/clock.ts";
import { type ErrorCode, SkimmerError, toSkimmerError } from "../../system/errors.ts";
import { EXIT_CODES } from "../../system/exit-codes.ts";
import { type JsonResponse, requestJson } from "../../system/json-http.ts";
import type { Logger } from "../../system/logger.ts";
import { tokenHeaders } from "../../system/supernode-token.ts";
import { parseTaskAnswer } from "../../torrents/parse-task-answer.ts";
import type { ApiErrorBody, TaskAnswer, TaskRequest } from "../../torrents/task-api.ts";
import { originKey } from "../../torrents/task-identity.ts";
import type { DownloadRequest } from "./daemon-api.ts";
import type { SupernodeFailure, SupernodeList } from "./supernode-list.ts";

export type Registration =
  | { readonly kind: "answer"; readonly answer: TaskAnswer; readonly supernode: string }
  | { readonly kind: "none"; readonly failures: readonly string[] };

export interface SupernodeClientOptions {
  readonly list: SupernodeList;
  /** Where a download brings none of its own; absent: none. */
  readonly token?: string;
  readonly peer: NonNullable<TaskRequest["peer"]>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A supernode asks the origin before it answers: slower than this, and the next one is asked. */
const ANSWER_TIMEOUT_MS = 15_000;
const MAX_MESSAGE_LENGTH = 2000;
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
/** What the origin said, or what no other supernode would say differently. */
const FINAL_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "origin_refused",
  "origin_not_found",
  "origin_failed",
  "digest_mismatch",
  "bad_request",
  "unsupported_scheme",
]);

/** Of this request or its token: the supernode may serve the next one. */
const REFUSALS: ReadonlySet<string> = new Set<ErrorCode>(["unauthorized", "forbidden"]);

export class SupernodeClient {
  readonly #options: SupernodeClientOptions;

  constructor(options: SupernodeClientOptions) {
    this.#options = options;
  }

  /** Rejects with SkimmerError where the origin itself is the reason; `none` where no supernode helps. */
  async register(
    urls: readonly string[],
    request: DownloadRequest,
    options: { signal: AbortSignal; warn: (message: string) => void },
  ): Promise<Registration> {
    const { list, clock } = this.#options;
    const failures: string[] = [];
    const wish = { supernodes: urls, key: originKey(request), nowMs: clock.nowMs(), needed: request.notbs };
    for (const url of list.candidates(wish)) {
      try {
        const answer = await this.#ask(url, request, options.signal);
        list.worked(url);
        return { kind: "answer", answer, supernode: url };
      } catch (thrown) {
        options.signal.throwIfAborted();
        const error = toSkimmerError(thrown);
        if (FINAL_CODES.has(error.code)) throw error;
        failures.push(`${url}: ${error.message}`);
        this.#noteFailure({ url, error, warn: options.warn });
      }
    }
    return { kind: "none", failures };
  }

  #noteFailure(input: { url: string; error: SkimmerError; warn: (message: string) => void }): void {
    const { url, error, warn } = input;
    const failure = classify(error);
    if (failure !== undefined) this.#options.list.failed(url, failure, this.#options.clock.nowMs());
    if (REFUSALS.has(error.code)) warn(`supernode ${url} refuses: ${error.message}`);
    else if (failure === "nonsense") warn(`supernode ${url} is not usable: ${error.message}`);
    this.#options.logger.warn({ supernode: url, code: error.code, error: error.message }, "supernode does not help");
  }

  async #ask(url: string, request: DownloadRequest, signal: AbortSignal): Promise<TaskAnswer> {
    const body = taskRequest(request, this.#options.peer);
    const sent = requestJson({
      url: `${url}/api/v1/tasks`,
      method: "POST",
      headers: tokenHeaders(request.token ?? this.#options.token),
      body,
      timeoutMs: ANSWER_TIMEOUT_MS,
      maxBytes: MAX_ANSWER_BYTES,
      signal,
    });
    const response = await sent.catch((thrown: unknown) => Promise.reject(transportError(thrown)));
    if (response.status !== 200) throw apiError(response);
    const answer = parseTaskAnswer(response.body);
    if (answer.state === "failed") throw new SkimmerError("no_seeder", "the supernode's seeder gave the task up", { retriable: true });
    return answer;
  }
}

/** How to treat the supernode after this error; undefined: it did nothing wrong. */
function classify(error: SkimmerError): SupernodeFailure | undefined {
  if (error.code === "no_seeder" || error.code === "origin_unreachable" || REFUSALS.has(error.code)) return undefined;
  if (error.code === "timeout" || error.code === "rate_limited") return "slow";
  if (error.code === "no_supernode") return "refused";
  return "nonsense";
}

/** A failure before there was an answer, under the code by which it is classified. */
function transportError(thrown: unknown): SkimmerError {
  if (thrown instanceof SkimmerError) return thrown;
  const { code, name, message } = thrown as NodeJS.ErrnoException;
  if (name === "AbortError" || name === "TimeoutError")
    return new SkimmerError("timeout", `no answer within ${ANSWER_TIMEOUT_MS / 1000} s`, { retriable: true, cause: thrown });
  const isNonsense = String(code).startsWith("HPE_");
  return new SkimmerError(isNonsense ? "protocol" : "no_supernode", code ?? message, { retriable: true, cause: thrown });
}

/** The supernode's own words for a failure; an answer without them is nonsense. */
function apiError(response: JsonResponse): SkimmerError {
  const error = (response.body as Partial<ApiErrorBody> | undefined)?.error;
  const known = typeof error === "object" && error !== null && typeof error.message === "string" && error.code in EXIT_CODES;
  if (!known) return new SkimmerError("protocol", `HTTP ${response.status} without an error of ours`);
  const status = typeof error.status === "number" ? error.status : undefined;
  return new SkimmerError(error.code as ErrorCode, error.message.slice(0, MAX_MESSAGE_LENGTH), {
    hint: typeof error.hint === "string" ? error.hint.slice(0, MAX_MESSAGE_LENGTH) : undefined,
    status,
  });
}

function taskRequest(request: DownloadRequest, peer: TaskRequest["peer"]): TaskRequest {
  const { url, headers, digest, tag, filter, range, tls, pieceLengthBytes } = request;
  return { url, headers, digest, tag, filter, range, tls, pieceLengthBytes, peer };
}
