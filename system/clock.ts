/** Monotonic time, passed to whoever needs it, so that tests may bring their own. */
export interface Clock {
  nowMs(): number;
}

export const realClock: Clock = { nowMs: () => performance.now() };
