/**
 * What a preheat is and which states it goes through, and how it looks from outside. Decides.
 * Invariant: credentials leave the record when the job ends, and never leave the supernode.
 */
import type { Credentials } from "../../registry/credentials.ts";
import type { ImageTarget } from "../../registry/image-reference.ts";
import { type SkimmerError, toSkimmerError } from "../../system/errors.ts";
import { shownUrl } from "../../torrents/shown-url.ts";
import type { ApiErrorBody, TaskRequest } from "../../torrents/task-api.ts";

export type PreheatSpec = Access & (FileSpec | ImageSpec);

interface Access {
  readonly credentials?: Credentials;
  /** The supernode's own may be used: only for webhooks, whose senders are known and have none to give. */
  readonly ownCredentials?: boolean;
  /** Asked for by a caller on this machine, for whom its loopback may be read. */
  readonly loopback?: boolean;
}

interface FileSpec {
  readonly kind: "file";
  readonly request: TaskRequest;
}

interface ImageSpec {
  readonly kind: "image";
  readonly target: ImageTarget;
  /** `linux/amd64`; absent: all. */
  readonly platforms?: readonly string[];
  /** For the registry: what the caller gave, an Authorization too. */
  readonly headers: Readonly<Record<string, string>>;
}

export type PreheatState = "waiting" | "running" | "success" | "failed" | "cancelled";

export interface PreheatJob {
  /** Decimal number: Dragonfly 2 has numbers, version 1 has texts. */
  readonly id: string;
  spec: PreheatSpec;
  state: PreheatState;
  /** Made with credentials: not listed. */
  readonly private: boolean;
  readonly createdAtMs: number;
  startedAtMs?: number;
  finishedAtMs?: number;
  error?: ApiErrorBody["error"];
  /** Files (a file preheat has one; an image its configurations and layers). */
  files: { total: number; done: number; failed: number };
  /** Bytes of all files, as far as they are known. */
  lengthBytes: number;
}

/** Whether a job still has something to do. */
export function isOpen({ state }: PreheatJob): boolean {
  return state === "waiting" || state === "running";
}

/** Ends a job. What is secret in it goes. */
export function finish(job: PreheatJob, ending: { state: "success" | "failed" | "cancelled"; nowMs: number; error?: unknown }): void {
  job.state = ending.state;
  job.finishedAtMs = ending.nowMs;
  job.error = ending.error === undefined ? undefined : errorBodyOf(toSkimmerError(ending.error));
  job.spec = withoutSecrets(job.spec);
}

/** `GET /api/v1/preheats/ID`. */
export function describeJob(job: PreheatJob): object {
  const { spec } = job;
  const what =
    spec.kind === "file"
      ? { type: "file", url: shownUrl(spec.request.url) }
      : { type: "image", image: `${new URL(spec.target.base).host}/${nameOf(spec.target)}`, platforms: spec.platforms ?? "all" };
  return {
    id: job.id,
    ...what,
    state: job.state,
    files: job.files,
    lengthBytes: job.lengthBytes,
    createdAt: iso(job.createdAtMs),
    startedAt: iso(job.startedAtMs),
    finishedAt: iso(job.finishedAtMs),
    error: job.error,
  };
}

const V1_STATES = { waiting: "WAITING", running: "RUNNING", success: "SUCCESS", failed: "FAILED", cancelled: "FAILED" } as const;

/** `GET /preheats/ID` of Dragonfly 1.0. */
export function describeJobV1(job: PreheatJob): object {
  return {
    ID: job.id,
    status: V1_STATES[job.state],
    startTime: iso(job.startedAtMs ?? job.createdAtMs),
    finishTime: iso(job.finishedAtMs),
    errorMsg: job.state === "cancelled" ? "cancelled" : job.error?.message,
  };
}

const V2_STATES = { waiting: "PENDING", running: "PENDING", success: "SUCCESS", failed: "FAILURE", cancelled: "FAILURE" } as const;

/** `GET /oapi/v1/jobs/ID` of Dragonfly 2, as far as Harbor reads it. */
export function describeJobV2(job: PreheatJob): object {
  const { spec } = job;
  const failures = job.error === undefined ? [] : [{ error: job.error.message, results: [] }];
  return {
    id: Number(job.id),
    task_id: job.id,
    type: "preheat",
    state: V2_STATES[job.state],
    created_at: iso(job.createdAtMs),
    updated_at: iso(job.finishedAtMs ?? job.startedAtMs ?? job.createdAtMs),
    args: { type: spec.kind, url: spec.kind === "file" ? shownUrl(spec.request.url) : manifestUrl(spec.target) },
    result: { job_states: job.state === "cancelled" ? [{ error: "cancelled", results: [] }] : failures },
  };
}

export function errorBodyOf({ code, message, hint, status }: SkimmerError): ApiErrorBody["error"] {
  return { code, message, hint, status };
}

function withoutSecrets(spec: PreheatSpec): PreheatSpec {
  if (spec.kind === "image") return { ...spec, headers: {}, credentials: undefined };
  return { ...spec, request: { ...spec.request, url: shownUrl(spec.request.url), headers: {} }, credentials: undefined };
}

function nameOf({ repository, reference }: ImageTarget): string {
  return `${repository}${reference.includes(":") ? "@" : ":"}${reference}`;
}

function manifestUrl({ base, repository, reference }: ImageTarget): string {
  return `${base}/v2/${repository}/manifests/${reference}`;
}

function iso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
