/** The lowest of several rates, where 0 means unlimited. Decides. */
export function lowestLimit(...limits: readonly number[]): number {
  const set = limits.filter((limit) => limit > 0);
  return set.length === 0 ? 0 : Math.min(...set);
}
