/**
 * Content whose length the origin does not tell: read in one stream into a file first, then read from there like any
 * other origin. Drives. Bounded by the disk, whose last bytes are left alone; the file goes when the spool is disposed of.
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, rm, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SkimmerError } from "../system/errors.ts";
import { readFileRange } from "./file-origin.ts";
import type { Throttle } from "./piece-run.ts";
import { retryDelayMs } from "./retry-delay.ts";
import type { Origin, OriginRequest, Probe } from "./types.ts";

const CHECK_EVERY_BYTES = 64 * 1024 * 1024;
const LEAVE_FREE_BYTES = 64 * 1024 * 1024;
const WRITE_BYTES = 1024 * 1024;
/** A stream that breaks begins anew: without ranges there is nothing to go on from. */
const MOST_TRIES = 3;

export interface Spool extends AsyncDisposable {
  readonly path: string;
  readonly lengthBytes: number;
  readonly probe: Probe;
  /** Reads the spooled bytes; request and validators do not matter. */
  readonly origin: Origin;
}

export interface SpoolOptions {
  readonly folder: string;
  readonly origin: Origin;
  readonly request: OriginRequest;
  readonly probe: Probe;
  /** Absent: no limit. */
  readonly throttle?: Throttle;
  /** Told how many bytes have come; less than before where the stream began anew. */
  readonly onBytes?: (total: number) => void;
  readonly signal: AbortSignal;
}

/** Reads everything into `folder`. Rejects with SkimmerError origin_* or `disk_full`, leaving no file. */
export async function spoolOrigin(options: SpoolOptions): Promise<Spool> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const path = join(options.folder, `${randomBytes(8).toString("hex")}.spool`);
  const remove = (): Promise<void> => rm(path, { force: true });
  try {
    const lengthBytes = await fill(path, options);
    const probe = { ...options.probe, lengthBytes, ranges: true };
    return { path, lengthBytes, probe, origin: spoolReader(path, probe), [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function fill(path: string, options: SpoolOptions): Promise<number> {
  const { signal } = options;
  for (let tries = 1; ; tries++) {
    try {
      await using file = await open(path, "w", 0o600);
      return await readInto(file, path, options);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SkimmerError) || !error.retriable || tries === MOST_TRIES) throw error;
      await sleep(retryDelayMs({ tries, retryAfterMs: undefined }, Math.random), undefined, { signal });
    }
  }
}

async function readInto(file: FileHandle, path: string, options: SpoolOptions): Promise<number> {
  const buffer = Buffer.allocUnsafe(WRITE_BYTES);
  let filled = 0;
  let total = 0;
  let checkAt = 0;
  const flush = async (): Promise<void> => {
    if (total >= checkAt) await checkSpace(dirname(path));
    checkAt = Math.max(checkAt, total + CHECK_EVERY_BYTES);
    await file.writeFile(buffer.subarray(0, filled));
    total += filled;
    filled = 0;
    options.onBytes?.(total);
  };
  const takeSlowly = async (chunk: Buffer, wait: Promise<void> | undefined): Promise<void> => {
    await wait;
    for (let at = 0; at < chunk.length; ) {
      const count = chunk.copy(buffer, filled, at);
      filled += count;
      at += count;
      if (filled === buffer.length) await flush();
    }
  };
  const sink = (chunk: Buffer): void | Promise<void> => {
    const wait = options.throttle?.(chunk.length);
    if (wait !== undefined || filled + chunk.length >= buffer.length) return takeSlowly(chunk, wait);
    chunk.copy(buffer, filled);
    filled += chunk.length;
  };
  const { origin, request, probe, signal } = options;
  await origin.read(request, { firstByte: 0, lastByte: undefined, validators: probe.validators }, sink, { signal });
  await flush();
  return total;
}

async function checkSpace(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= CHECK_EVERY_BYTES + LEAVE_FREE_BYTES) return;
  throw new SkimmerError("disk_full", `the disk of ${folder} has only ${bavail * bsize} bytes left`, {
    hint: "Free some space, or choose another folder.",
  });
}

function spoolReader(path: string, probe: Probe): Origin {
  return {
    probe: () => Promise.resolve(probe),
    read: async (_request, range, sink, { signal }) => {
      await using file = await open(path, "r");
      await readFileRange(file, { ...range, signal }, async (chunk) => sink(chunk));
    },
    close: () => Promise.resolve(),
  };
}
