/** Reading an origin in tests: what comes, in one buffer; failures compared by code. */
import type { ExecutionContext } from "ava";
import type { Origin, OriginRequest, ReadRange } from "../../../origin/types.ts";
import type { ErrorCode } from "../../../system/errors.ts";

const TIME_LIMIT_MS = 20_000;

export const timeLimit = (): AbortSignal => AbortSignal.timeout(TIME_LIMIT_MS);

/** The bytes of a range; all of the file where none is given. */
export async function readAll(origin: Origin, request: OriginRequest, range: Partial<ReadRange> = {}): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const sink = (chunk: Buffer): void => void chunks.push(Buffer.from(chunk));
  await origin.read(request, { firstByte: 0, lastByte: undefined, validators: {}, ...range }, sink, { signal: timeLimit() });
  return Buffer.concat(chunks);
}

export async function failsWith(
  t: ExecutionContext,
  promise: Promise<unknown>,
  expected: { code: ErrorCode; retriable?: boolean; status?: number },
): Promise<void> {
  t.like(await t.throwsAsync(promise), { name: "SkimmerError", ...expected });
}
