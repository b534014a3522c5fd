/**
 * Figures as people read them. Decides.
 */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** `1.23 GB`: powers of 1000, three digits. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `12.3 MB/s`; a dash for nothing. */
export function formatRate(bytesPerSecond: number): string {
  return bytesPerSecond === 0 ? "–" : `${formatBytes(bytesPerSecond)}/s`;
}

/** `93 %`; never 100 % before it is. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent > 99 && percent < 100) return `${(Math.floor(percent * 10) / 10).toFixed(1)} %`;
  return `${Math.round(percent)} %`;
}

/** `12,345`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en");
}

/** `1 task`, `2 tasks`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Date and time in the reader's own zone. */
export function formatTime(ms: number): string {
  return new Date(ms).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
