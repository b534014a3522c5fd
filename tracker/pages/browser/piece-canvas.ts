/**
 * The piece map as a picture: one square for each stretch of pieces, the darker the more copies there are; what it shows is also said in words.
 */
import { byId, setText } from "./dom.ts";
import { formatBytes, formatCount, plural } from "./format.ts";

const GAP = 2;
const LEAST_CELL = 6;
const MOST_CELL = 14;

export interface MapFacts {
  /** One base-36 digit a cell. */
  readonly map: string;
  readonly pieceCount: number;
  readonly pieceLengthBytes: number;
  readonly piecesReady: number;
}

export class PieceCanvas {
  readonly #canvas = byId<HTMLCanvasElement>("map");
  #facts: MapFacts | undefined;

  constructor() {
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  show(facts: MapFacts): void {
    this.#facts = facts;
    setText("map-text", describe(facts));
    this.#draw();
  }

  #draw(): void {
    const canvas = this.#canvas;
    const width = canvas.clientWidth;
    const context = canvas.getContext("2d");
    if (this.#facts === undefined || width === 0 || context === null) return;
    const { map } = this.#facts;
    const cell = cellLength(map.length, width);
    const columns = Math.max(1, Math.floor((width + GAP) / (cell + GAP)));
    const height = Math.max(1, Math.ceil(map.length / columns)) * (cell + GAP) - GAP;
    const scale = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      canvas.style.height = `${height}px`;
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    const colours = ["none", "few", "some", "many"].map((name) => style.getPropertyValue(`--map-${name}`));
    const most = Math.max(2, ...[...map].map((digit) => Number.parseInt(digit, 36)));
    for (const [index, digit] of [...map].entries()) {
      const copies = Number.parseInt(digit, 36);
      context.fillStyle = colours[copies === 0 ? 0 : copies === 1 ? 1 : copies < Math.max(3, most * 0.75) ? 2 : 3];
      context.fillRect((index % columns) * (cell + GAP), Math.floor(index / columns) * (cell + GAP), cell, cell);
    }
  }
}

/** Large cells where there are few. */
function cellLength(count: number, width: number): number {
  const fitting = Math.floor(Math.sqrt((width * 120) / Math.max(1, count))) - GAP;
  return Math.min(MOST_CELL, Math.max(LEAST_CELL, fitting));
}

function describe({ map, pieceCount, pieceLengthBytes, piecesReady }: MapFacts): string {
  const copies = [...map].map((digit) => Number.parseInt(digit, 36));
  const rarest = Math.min(...copies);
  const pieces = `${plural(pieceCount, "piece")} of ${formatBytes(pieceLengthBytes)}`;
  if (pieceCount === 0) return "empty: there are no pieces";
  if (piecesReady < pieceCount) return `${pieces}, ${formatCount(pieceCount - piecesReady)} of them not at a seeder yet`;
  return Number.isFinite(rarest) ? `${pieces}, at least ${plural(rarest, "copy", "copies")} of each` : pieces;
}
