/**
 * The throughput chart's geometry: samples as stacked areas in a box. Decides.
 */
import type { Rates } from "./shapes.ts";

/** From the bottom up. */
export const LAYERS = ["peers", "seeder", "origin"] as const;

export interface Box {
  readonly width: number;
  readonly height: number;
  /** Milliseconds that the whole width stands for; the right edge is the latest sample. */
  readonly spanMs: number;
}

export interface ChartPaths {
  /** SVG path data of each layer, in the order of LAYERS. */
  readonly areas: readonly string[];
  /** What the top of the box stands for: a round number of bytes per second. */
  readonly top: number;
}

const STEPS = [1, 2, 5, 10];
const LEAST_TOP = 1000;

/** Paths for the samples, the oldest first. */
export function chartPaths(samples: readonly Rates[], { width, height, spanMs }: Box): ChartPaths {
  const top = roundTop(Math.max(...samples.map((sample) => LAYERS.reduce((sum, layer) => sum + sample[layer], 0)), 0));
  const last = samples.at(-1)?.atMs ?? 0;
  const shown = samples.filter(({ atMs }) => last - atMs <= spanMs);
  const x = ({ atMs }: Rates): string => (width * (1 - (last - atMs) / spanMs)).toFixed(1);
  const y = (value: number): string => (height * (1 - value / top)).toFixed(1);
  const sums = shown.map(() => 0);
  const areas = LAYERS.map((layer) => {
    const below = shown.map((sample, index) => `${x(sample)},${y(sums[index])}`);
    const above = shown.map((sample, index) => {
      sums[index] += sample[layer];
      return `${x(sample)},${y(sums[index])}`;
    });
    return shown.length < 2 ? "" : `M${above.join("L")}L${below.reverse().join("L")}Z`;
  });
  return { areas, top };
}

/** The least of 1, 2, 5, 10, 20 … that is not below the value. */
function roundTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(LEAST_TOP, value)));
  return (STEPS.find((step) => step * power >= value) ?? 10) * power;
}
