/**
 * Several ways to the same thing, in the order of preference: the next begins when the last one failed, or is slow. Drives.
 * The first success counts, and ends the others.
 */

export type Attempt<T> = (signal: AbortSignal) => Promise<T>;

/** Resolves with the first success; rejects with the last failure where all failed, or with the reason of `signal`. */
export async function firstToSucceed<T>(
  attempts: readonly Attempt<T>[],
  { staggerMs, signal }: { staggerMs: number; signal: AbortSignal },
): Promise<T> {
  const control = new AbortController();
  const both = AbortSignal.any([signal, control.signal]);
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let begun = 0;
  let failed = 0;
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    clearTimeout(timer);
    if (begun === attempts.length || both.aborted) return;
    const attempt = attempts[begun++];
    timer = setTimeout(begin, staggerMs);
    attempt(both).then(resolve, (error: unknown) => {
      if (++failed === attempts.length || both.aborted) reject(error);
      else if (failed === begun) begin();
    });
  };
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  else if (attempts.length === 0) reject(new RangeError("there is nothing to try"));
  else begin();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    control.abort();
  }
}
