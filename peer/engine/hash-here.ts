/**
 * Hashes a piece on the event loop, and has it written beside it: what a slow download does without a thread. Drives the files.
 */
import { close, open, write } from "node:fs";
import { promisify } from "node:util";
import { hashPiece } from "./hash-piece.ts";
import type { HashResult, PieceJob } from "./hash-workers.ts";
import type { WritePart } from "./store/content-store.ts";

const writeFd = promisify(write);
const openPath = promisify(open);
const closeFd = promisify(close);

/** `padded`: the piece, and its padding. Never rejects: a disk that fails is told in the result. */
export async function hashHere(padded: Buffer, job: PieceJob): Promise<HashResult> {
  const result = hashPiece(padded, job);
  if (!result.good) return result;
  const piece = padded.subarray(0, job.lengthBytes);
  try {
    if (job.fd >= 0) await writeAll(job.fd, piece, job.offset);
    for (const part of job.parts ?? []) await writePart(part, piece);
    return result;
  } catch (error) {
    return { ...result, error: { code: (error as NodeJS.ErrnoException).code ?? "EIO", message: (error as Error).message } };
  }
}

async function writePart({ path, fd, offset, start, lengthBytes }: WritePart, piece: Buffer): Promise<void> {
  const bytes = piece.subarray(start, start + lengthBytes);
  if (path === undefined) return writeAll(fd, bytes, offset);
  const own = await openPath(path, "r+");
  try {
    await writeAll(own, bytes, offset);
  } finally {
    await closeFd(own);
  }
}

async function writeAll(fd: number, piece: Buffer, offset: number): Promise<void> {
  for (let written = 0; written < piece.length; )
    written += (await writeFd(fd, piece, written, piece.length - written, offset + written)).bytesWritten;
}
