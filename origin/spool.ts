/**
 * Content whose length the origin does not tell: read in one stream into a file first, then read from there like any
 * other origin. Bounded by the disk; the file is removed when the spool is disposed of.
 */
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rm, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SkimmerError } from "../system/errors.ts";
import type { Origin, OriginRequest, Probe } from "./types.ts";

const CHECK_EVERY_BYTES = 64 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

export interface Spool extends AsyncDisposable {
  readonly probe: Probe;
  /** Reads the spooled bytes; request and validators do not matter. */
  readonly origin: Origin;
}

/** Reads everything into `folder`. Rejects with SkimmerError origin_* or `disk_full`, leaving no file. */
export async function spoolOrigin(input: {
  folder: string;
  origin: Origin;
  request: OriginRequest;
  probe: Probe;
  signal: AbortSignal;
}): Promise<Spool> {
  await mkdir(input.folder, { recursive: true, mode: 0o700 });
  const path = join(input.folder, `${randomBytes(8).toString("hex")}.spool`);
  const remove = (): Promise<void> => rm(path, { force: true });
  try {
    await using file = await open(path, "wx", 0o600);
    const lengthBytes = await readInto(file, path, input);
    return { probe: { ...input.probe, lengthBytes, ranges: true }, origin: fileOrigin(path, input.probe), [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function readInto(file: FileHandle, path: string, input: Parameters<typeof spoolOrigin>[0]): Promise<number> {
  let total = 0;
  let checkAt = 0;
  const sink = async (chunk: Buffer): Promise<void> => {
    if (total >= checkAt) await checkSpace(dirname(path));
    checkAt = Math.max(checkAt, Math.floor(total / CHECK_EVERY_BYTES + 1) * CHECK_EVERY_BYTES);
    await file.writeFile(chunk);
    total += chunk.length;
  };
  await input.origin.read(input.request, { firstByte: 0, lastByte: undefined, validators: input.probe.validators }, sink, {
    signal: input.signal,
  });
  return total;
}

async function checkSpace(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= 2 * CHECK_EVERY_BYTES) return;
  throw new SkimmerError("disk_full", `the disk of ${folder} has only ${bavail * bsize} bytes left`, {
    hint: "Free some space, or choose another folder.",
  });
}

function fileOrigin(path: string, probe: Probe): Origin {
  return {
    probe: () => Promise.resolve(probe),
    read: async (_request, range, sink, { signal }) => {
      const stream = createReadStream(path, { start: range.firstByte, end: range.lastByte, highWaterMark: READ_BYTES, signal });
      for await (const chunk of stream) await sink(chunk as Buffer);
    },
    close: () => Promise.resolve(),
  };
}
