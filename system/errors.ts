/**
 * The one error family of Skimmer.
 *
 * Every failure that can reach a person is a SkimmerError: a stable `code` that programs
 * switch on, a message of one sentence (action, value, cause), and a `hint` that says what
 * to do. Errors are told apart by code, never by text; secrets never enter a message.
 */

/** Stable codes. docs/exit-codes.md maps them to exit codes; the API sends them as `error.code`. */
export type ErrorCode =
  | "bad_request" // the caller's words are wrong (URL, rate, option, JSON)
  | "unsupported_scheme"
  | "origin_unreachable" // DNS, refused, reset, time-out before any answer
  | "origin_refused" // 401, 403
  | "origin_not_found" // 404, 410
  | "origin_failed" // 5xx, 429 past the retries, broken protocol, wrong length
  | "origin_changed" // validators differ from those that the task began with
  | "digest_mismatch"
  | "output_unwritable"
  | "disk_full"
  | "no_supernode" // every supernode of the list failed
  | "no_seeder" // the supernode has no live seeder
  | "not_found" // unknown task, torrent, route
  | "not_final" // the task is still live
  | "busy" // too much is waiting already
  | "no_progress" // nothing arrived for the allowed time
  | "timeout"
  | "cancelled"
  | "address_in_use"
  | "already_running"
  | "daemon_unreachable"
  | "unauthorized" // 401 of ours: no token, or one that is not known
  | "forbidden" // 403 of ours: a token without the scope, an address that may not be fetched
  | "rate_limited" // 429 of ours
  | "body_too_long" // 413 of ours
  | "protocol" // a remote broke a protocol
  | "internal";

/** A failure with a stable code. `retriable` says whether the same call may succeed later. */
export class SkimmerError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retriable: boolean;
  /** HTTP status of the origin or API where one is known. */
  readonly status: number | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; retriable?: boolean; status?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SkimmerError";
    this.code = code;
    this.hint = options.hint;
    this.retriable = options.retriable ?? false;
    this.status = options.status;
  }
}

/** Any thrown value as a SkimmerError; what is not one already becomes `internal`. */
export function toSkimmerError(thrown: unknown): SkimmerError {
  if (thrown instanceof SkimmerError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new SkimmerError("internal", message, { cause: thrown });
}
