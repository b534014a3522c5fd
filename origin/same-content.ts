/**
 * Whether an origin still has the content that a task began with. Decides.
 */
import type { Validators } from "../torrents/task-api.ts";

export interface ContentFacts {
  readonly validators: Validators;
  /** undefined: unknown. */
  readonly lengthBytes: number | undefined;
}

/** True where something identifies the content: an ETag or a modification time. */
export function hasValidators(validators: Validators): boolean {
  return validators.etag !== undefined || validators.lastModified !== undefined;
}

/** Lengths agree where both are known, and so does the strongest validator that both have; with none in common the length decides. */
export function isSameContent(before: ContentFacts, now: ContentFacts): boolean {
  if (before.lengthBytes !== undefined && now.lengthBytes !== undefined && before.lengthBytes !== now.lengthBytes) return false;
  if (before.validators.etag !== undefined && now.validators.etag !== undefined) return before.validators.etag === now.validators.etag;
  const bothDated = before.validators.lastModified !== undefined && now.validators.lastModified !== undefined;
  return bothDated
    ? before.validators.lastModified === now.validators.lastModified
    : !hasValidators(before.validators) || !hasValidators(now.validators);
}
