/**
 * What one preheat does: finds out what belongs to it, and has the seeders fetch all of that. Drives.
 * Each file goes to the seeder that rendezvous hashing makes responsible, so an image spreads over all of them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { blobTaskRequest } from "../../registry/blob-task.ts";
import type { Credentials } from "../../registry/credentials.ts";
import { listImageBlobs } from "../../registry/image-blobs.ts";
import { parseBlobUrl } from "../../registry/image-reference.ts";
import { parsePlatformName } from "../../registry/manifest.ts";
import { SkimmerError, toSkimmerError } from "../../system/errors.ts";
import type { SeederTask } from "../../torrents/seeder-link.ts";
import type { TaskRequest } from "../../torrents/task-api.ts";
import type { PreheatJob, PreheatSpec } from "./preheat-job.ts";
import type { Registries } from "./registries.ts";
import type { Slots } from "./slots.ts";
import type { TaskWatch } from "./task-watch.ts";
import { warmTask } from "./warm-task.ts";

const MOST_LIST_TRIES = 3;
const LIST_DELAY_MS = 2000;

export interface PreheatTools {
  readonly registries: Registries;
  readonly resolve: (request: TaskRequest) => Promise<SeederTask>;
  readonly watch: TaskWatch;
  /** Bounds the files that are fetched at once, over all jobs. */
  readonly slots: Slots;
}

type FileToWarm = () => Promise<TaskRequest>;

/** Counts in `job.files`. Rejects with the first file's error when all others are through, or the signal's reason. */
export async function runPreheat(job: PreheatJob, tools: PreheatTools, signal: AbortSignal): Promise<void> {
  const files = await listFiles(job, tools, signal);
  Object.assign(job.files, { total: files.length, done: 0, failed: 0 });
  let failure: SkimmerError | undefined;
  const warm = async (request: FileToWarm): Promise<void> => {
    using _slot = await tools.slots.take(signal);
    try {
      const task = await warmTask({ request, resolve: tools.resolve, watch: tools.watch, signal });
      job.files.done++;
      if (job.spec.kind === "file") job.lengthBytes = task.lengthBytes;
    } catch (thrown) {
      job.files.failed++;
      failure ??= toSkimmerError(thrown);
    }
  };
  await Promise.all(files.map(warm));
  signal.throwIfAborted();
  if (failure !== undefined) throw failure;
}

async function listFiles(job: PreheatJob, tools: PreheatTools, signal: AbortSignal): Promise<FileToWarm[]> {
  const { spec } = job;
  if (spec.kind === "file") return [fileOf(spec, tools, signal)];
  const { base, repository, reference } = spec.target;
  const client = tools.registries.open({ ...accessOf(spec), base, headers: spec.headers });
  const platforms = spec.platforms?.map(parsePlatformName);
  const { blobs } = await patiently(() => listImageBlobs(client, { repository, reference, platforms, signal }), signal);
  job.lengthBytes = blobs.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  return blobs.map(
    ({ digest }) =>
      async () =>
        blobRequest(spec, { base, repository, digest, authorization: await client.authorizeBlob({ repository, digest, signal }) }),
  );
}

/** A blob of a registry gets the registry's token; any other file is asked for as it was given. */
function fileOf(spec: PreheatSpec & { kind: "file" }, tools: PreheatTools, signal: AbortSignal): FileToWarm {
  const request = { ...spec.request, ...reachOf(spec) };
  const blob = parseBlobUrl(request.url);
  if (blob === undefined) return async () => withBasic(request, spec.credentials);
  const { base, repository, reference: digest } = blob;
  const client = tools.registries.open({ ...accessOf(spec), base, headers: request.headers });
  return async () => {
    const authorization = await client.authorizeBlob({ repository, digest, signal });
    return { ...request, headers: authorization === undefined ? request.headers : { ...request.headers, authorization } };
  };
}

function blobRequest(spec: PreheatSpec, blob: Parameters<typeof blobTaskRequest>[0]): TaskRequest {
  return { ...blobTaskRequest(blob), ...reachOf(spec) };
}

function accessOf({ credentials, ownCredentials, loopback }: PreheatSpec) {
  return { credentials, own: ownCredentials === true, loopback: loopback === true };
}

function reachOf({ loopback }: PreheatSpec): { readonly loopback?: boolean } {
  return loopback === true ? { loopback } : {};
}

function withBasic(request: TaskRequest, credentials: Credentials | undefined): TaskRequest {
  if (credentials?.kind !== "password") return request;
  const secret = Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64");
  return { ...request, headers: { ...request.headers, authorization: `Basic ${secret}` } };
}

async function patiently<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof SkimmerError) || !error.retriable || tries === MOST_LIST_TRIES || signal.aborted) throw error;
      await sleep(LIST_DELAY_MS, undefined, { signal });
    }
  }
}
