/**
 * A registry's blob as a task. Decides. Whoever wants a blob through the swarm (preheat, mirror) asks in this form, so that all
 * mean the same task: torrents/task-identity.ts goes by registry and digest then, not by repository.
 */
import type { TaskRequest } from "../torrents/task-api.ts";

export interface BlobInput {
  /** `https://registry-1.docker.io`. */
  readonly base: string;
  readonly repository: string;
  readonly digest: string;
  /** Only where the registry wants one: with it the task is private, and another one than without. */
  readonly authorization?: string;
}

/** The request to make at the supernode. */
export function blobTaskRequest({ base, repository, digest, authorization }: BlobInput): TaskRequest {
  return {
    url: `${base}/v2/${repository}/blobs/${digest}`,
    headers: authorization === undefined ? {} : { authorization },
    digest: digest.startsWith("sha256:") ? digest : undefined,
  };
}
