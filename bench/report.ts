/**
 * What a benchmark found, as a table of ratios for people and as JSON for programs. Decides how figures are summed up; prints nothing.
 */

/** One contender of a benchmark, all its runs. */
export interface Row {
  readonly name: string;
  /** One value a run. */
  readonly seconds: readonly number[];
  /** CPU seconds per GB (10⁹ bytes) moved, one value a run; of the process that the row is about. */
  readonly cpuSecondsPerGb?: readonly number[];
  /** Highest resident memory over all runs. */
  readonly peakBytes?: number;
  readonly note?: string;
}

/** What the project promises of a benchmark, and what was found. */
export interface Target {
  readonly what: string;
  readonly found: number;
  readonly limit: number;
  readonly unit: string;
  /** Whether `found` has to be at least or at most `limit`. */
  readonly want: "least" | "most";
}

export interface Result {
  readonly bench: string;
  readonly title: string;
  /** The first row is the anchor of the ratios. */
  readonly rows: readonly Row[];
  readonly targets: readonly Target[];
  /** Contenders that were left out, and how to get them. */
  readonly missing?: readonly string[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * How many times `of` is `to`: the median over the runs of each one's own ratio. Contenders of one run follow each other closely, while from run
 * to run this kind of machine can be twice as fast; medians taken apart would compare one's good minutes with the other's bad ones.
 */
export function ratioOf(of: readonly number[], to: readonly number[]): number {
  return median(of.slice(0, to.length).map((value, run) => value / to[run]));
}

export function isMet({ found, limit, want }: Target): boolean {
  return want === "least" ? found >= limit : found <= limit;
}

/** The result as a table: medians, ratios to the first row, lowest and highest. */
export function formatResult(result: Result): string {
  const lines = ["", result.title];
  const anchor = result.rows.at(0)?.seconds ?? [];
  for (const row of result.rows) lines.push(formatRow(row, anchor));
  for (const hint of result.missing ?? []) lines.push(`  left out: ${hint}`);
  for (const target of result.targets) {
    const sign = target.want === "least" ? "≥" : "≤";
    const verdict = isMet(target) ? "reached" : "NOT REACHED";
    lines.push(`  ${verdict.padEnd(11)}  ${target.what}: ${round(target.found)} ${target.unit} (${sign} ${target.limit})`);
  }
  return `${lines.join("\n")}\n`;
}

function formatRow({ name, seconds, cpuSecondsPerGb, peakBytes, note }: Row, anchor: readonly number[]): string {
  const middle = median(seconds);
  const cells = [
    `  ${name.padEnd(36)}`,
    `${middle.toFixed(2).padStart(7)} s`,
    `${ratioTo(seconds, anchor).toFixed(3).padStart(6)} ×`,
    `(${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)})`.padEnd(14),
  ];
  if (cpuSecondsPerGb !== undefined) cells.push(`${median(cpuSecondsPerGb).toFixed(2)} CPU s/GB`);
  if (peakBytes !== undefined) cells.push(`peak ${(peakBytes / 1e6).toFixed(0)} MB`);
  if (note !== undefined) cells.push(note);
  return cells.join("  ");
}

/** An anchor that is no measurement, but a figure, has one value. */
function ratioTo(seconds: readonly number[], anchor: readonly number[]): number {
  return anchor.length === seconds.length ? ratioOf(seconds, anchor) : median(seconds) / median(anchor);
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 3);
}
