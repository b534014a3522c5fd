/**
 * Content whose length the origin does not tell, read in one stream into a spool file. Drives.
 * Bounded by the disk: the last bytes of it are left alone. The file is removed when the spool is disposed of.
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, statfs, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Origin, OriginRequest, Probe } from "../../origin/types.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { Throttle } from "./throttle.ts";

export interface Spool extends AsyncDisposable {
  readonly path: string;
  readonly lengthBytes: number;
}

export interface SpoolOptions {
  readonly folder: string;
  readonly origin: Origin;
  readonly request: OriginRequest;
  readonly probe: Probe;
  readonly throttle: Throttle;
  readonly signal: AbortSignal;
  readonly onBytes: (total: number) => void;
}

const CHECK_EVERY_BYTES = 64 * 1024 * 1024;
const LEAVE_FREE_BYTES = 64 * 1024 * 1024;

/** Reads everything. Rejects with SkimmerError origin_* or `disk_full`, leaving no file. */
export async function spoolOrigin(options: SpoolOptions): Promise<Spool> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const path = join(options.folder, `${randomBytes(8).toString("hex")}.spool`);
  try {
    await using file = await open(path, "wx", 0o600);
    const lengthBytes = await readInto(file, path, options);
    return { path, lengthBytes, [Symbol.asyncDispose]: () => unlink(path).catch(() => undefined) };
  } catch (thrown) {
    await unlink(path).catch(() => undefined);
    throw thrown;
  }
}

async function readInto(file: FileHandle, path: string, options: SpoolOptions): Promise<number> {
  let total = 0;
  let checkAt = 0;
  const sink = async (chunk: Buffer): Promise<void> => {
    if (total >= checkAt) {
      await checkSpace(path);
      checkAt = total + CHECK_EVERY_BYTES;
    }
    await options.throttle(chunk.length);
    await file.writeFile(chunk);
    total += chunk.length;
    options.onBytes(total);
  };
  await options.origin.read(options.request, { firstByte: 0, lastByte: undefined, validators: options.probe.validators }, sink, {
    signal: options.signal,
  });
  return total;
}

async function checkSpace(path: string): Promise<void> {
  const disk = await statfs(dirname(path));
  if (disk.bavail * disk.bsize >= CHECK_EVERY_BYTES + LEAVE_FREE_BYTES) return;
  throw new SkimmerError("disk_full", `the disk of ${dirname(path)} has ${disk.bavail * disk.bsize} bytes left`, {
    hint: "Free some space, or choose another place with --home.",
  });
}
