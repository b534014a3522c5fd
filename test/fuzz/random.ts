/** A seeded source of numbers (mulberry32), so that a failing run can be had again. Decides. */

/** Numbers from 0 to below 1. */
export type Random = () => number;

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from 0 to below `count`. */
export function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

export function randomBytesOf(random: Random, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  for (let at = 0; at < count; at++) bytes[at] = below(random, 256);
  return bytes;
}
