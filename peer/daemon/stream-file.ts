/**
 * Sends a span of a file in order. Drives.
 * Two buffers take turns: the next bytes are read while the sink has these. New memory for each chunk cost more than the reading
 * (300 MB from the page cache over HTTP, 2 cores: see docs/benchmarks.md on memory that is touched for the first time).
 */
import { open } from "node:fs/promises";
import { SkimmerError } from "../../system/errors.ts";
import type { ByteSpan } from "./open-content.ts";
import type { ContentSink } from "./stream-content.ts";

const BUFFER_BYTES = 512 * 1024;

/** The sink must be done with the bytes when its promise resolves. Rejects with the system's error, or the reason of `signal`. */
export async function streamFile(path: string, span: ByteSpan, sink: ContentSink, signal: AbortSignal): Promise<void> {
  await using file = await open(path, "r");
  const size = Math.min(BUFFER_BYTES, span.lastByte - span.firstByte + 1);
  const buffers = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
  let position = span.firstByte;
  const readNext = async (buffer: Buffer): Promise<Buffer | undefined> => {
    const length = Math.min(size, span.lastByte + 1 - position);
    if (length === 0) return undefined;
    const { bytesRead } = await file.read(buffer, 0, length, position);
    if (bytesRead === 0) throw new SkimmerError("internal", `${path} ends at byte ${position}`);
    position += bytesRead;
    return buffer.subarray(0, bytesRead);
  };
  let next: Promise<Buffer | undefined> = readNext(buffers[0]);
  for (let turn = 1; ; turn++) {
    const bytes = await next;
    if (bytes === undefined) return;
    signal.throwIfAborted();
    next = readNext(buffers[turn % 2]);
    // awaited in the next turn, or never where the sink fails: that is its caller's error
    next.catch(() => undefined);
    try {
      await sink(bytes);
    } catch (thrown) {
      await next.catch(() => undefined);
      throw thrown;
    }
  }
}
