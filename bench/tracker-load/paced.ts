/** Calls `send` at an even rate, in batches of a millisecond or what the timer makes of it. */
export function paced(perSecond: number, send: () => void): { close(): void } {
  const startMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - startMs) / 1000) * perSecond;
    for (; sent < due; sent++) send();
  }, 1);
  return { close: () => clearInterval(timer) };
}
