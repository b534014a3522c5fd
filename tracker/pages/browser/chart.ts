/**
 * The throughput chart: what hosts receive, by where it comes from, over the last five minutes. An SVG with a description in words.
 */
import { chartPaths, LAYERS } from "./chart-paths.ts";
import { byId, makeSvg, setAttributes, setText } from "./dom.ts";
import { formatRate } from "./format.ts";
import type { Rates } from "./shapes.ts";

const SPAN_MS = 298_000;
const MOST_SAMPLES = 150;
const HEIGHT = 180;
const GRID = [0.25, 0.5, 0.75, 1] as const;

export class Chart {
  #samples: Rates[] = [];
  readonly #svg = makeSvg("svg", { role: "img", "aria-label": "Throughput", preserveAspectRatio: "none" });
  readonly #paths = LAYERS.map((layer) => makeSvg("path", { class: `area ${layer}` }));
  readonly #lines = GRID.map(() => makeSvg("line", { class: "grid" }));
  readonly #labels = GRID.map(() => makeSvg("text", { class: "grid-label" }));

  constructor() {
    this.#svg.append(...this.#lines, ...this.#paths, ...this.#labels);
    byId("chart").append(this.#svg);
    new ResizeObserver(() => this.#draw()).observe(byId("chart"));
  }

  /** Begins with these samples. */
  reset(samples: readonly Rates[]): void {
    this.#samples = [...samples];
    this.#draw();
  }

  add(sample: Rates): void {
    if (sample.atMs <= (this.#samples.at(-1)?.atMs ?? 0)) return;
    this.#samples = [...this.#samples, sample].slice(-MOST_SAMPLES);
    this.#draw();
  }

  #draw(): void {
    const width = byId("chart").clientWidth;
    if (width === 0) return;
    const { areas, top } = chartPaths(this.#samples, { width, height: HEIGHT, spanMs: SPAN_MS });
    setAttributes(this.#svg, { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT });
    for (const [index, path] of this.#paths.entries()) setAttributes(path, { d: areas[index] });
    for (const [index, share] of GRID.entries()) {
      const y = HEIGHT * (1 - share) + 0.5;
      setAttributes(this.#lines[index], { x1: 0, x2: width, y1: y, y2: y });
      setAttributes(this.#labels[index], { x: 4, y: y + 13 });
      setText(this.#labels[index], formatRate(top * share));
    }
    const now = this.#samples.at(-1);
    const words = now === undefined ? "nothing yet" : describe(now);
    this.#svg.setAttribute("aria-label", `What hosts receive now: ${words}`);
    setText("chart-now", words);
  }
}

function describe(now: Rates): string {
  const all = now.peers + now.seeder + now.origin;
  if (all === 0) return now.fetched > 0 ? `seeders fetch ${formatRate(now.fetched)}` : "quiet";
  return `${formatRate(all)}${now.fetched > 0 ? ` · seeders fetch ${formatRate(now.fetched)}` : ""}`;
}
