/**
 * Asking an origin whether a version that we hold is still the current one (RFC 9110 13.1). Decides.
 */
import { hasValidators } from "../origin/same-content.ts";
import type { OriginRequest } from "../origin/types.ts";
import { SkimmerError } from "../system/errors.ts";
import type { Validators } from "../torrents/task-api.ts";

const CONDITIONS = new Set(["if-none-match", "if-modified-since", "if-match", "if-unmodified-since"]);
const NOT_MODIFIED = 304;

/** The request with our condition in place of the caller's: what a caller holds does not count for us. */
export function conditionalRequest(request: OriginRequest, known: Validators | undefined): OriginRequest {
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !CONDITIONS.has(name.toLowerCase())));
  if (known?.etag !== undefined) headers["if-none-match"] = known.etag;
  // an ETag says more than a date of whole seconds (RFC 9110 13.1.3)
  else if (known?.lastModified !== undefined) headers["if-modified-since"] = known.lastModified;
  return { ...request, headers };
}

/** Whether the failure of a probe means that the version is still the current one. */
export function isUnchanged(thrown: unknown): boolean {
  return thrown instanceof SkimmerError && thrown.status === NOT_MODIFIED;
}

export function sameValidators(one: Validators, other: Validators): boolean {
  return hasValidators(one) && one.etag === other.etag && one.lastModified === other.lastModified;
}
