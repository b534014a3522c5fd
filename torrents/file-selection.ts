/**
 * Which files of a torrent are wanted: by their numbers, as `--files 1,3-5` and `so=` (BEP 53) say it, or by patterns. Decides.
 */
import { SkimmerError } from "../system/errors.ts";
import { globPattern } from "../system/glob-pattern.ts";
import { piecesOf, type TorrentLayout } from "./torrent-layout.ts";

/** Inclusive, counted from 0. */
export interface FileRange {
  readonly first: number;
  readonly last: number;
}

/** A file is wanted when a range or a pattern names it; without both all are. */
export interface FileSelection {
  readonly ranges: readonly FileRange[];
  /** `*`, `?`, and `**` across folders; one without a slash is that of a name in any folder. */
  readonly patterns: readonly string[];
}

const MOST_RANGES = 10_000;
const MOST_NUMBER = 10_000_000;

/** Reads `1,3-5`, whose first file has the number `base`. Throws SkimmerError `bad_request`. */
export function parseFileRanges(text: string, base: 0 | 1): FileRange[] {
  const words = text.split(",");
  if (words.length > MOST_RANGES) throw bad(`more than ${MOST_RANGES} ranges of files`);
  return words.map((word) => {
    const match = /^\s*(\d{1,8})(?:-(\d{1,8}))?\s*$/.exec(word);
    const first = Number(match?.[1]) - base;
    const last = match?.[2] === undefined ? first : Number(match[2]) - base;
    if (match === null || first < 0 || last < first || last > MOST_NUMBER)
      throw bad(`"${word.slice(0, 60)}" is no number or range of files`);
    return { first, last };
  });
}

/** Indices of the wanted files, in order. Throws SkimmerError `bad_request` where there are none. */
export function selectFiles(layout: TorrentLayout, selection: FileSelection | undefined): number[] {
  const all = layout.files.map((_, index) => index);
  if (selection === undefined || selection.ranges.length + selection.patterns.length === 0) return all;
  const patterns = selection.patterns.map((text) => ({ pattern: globPattern(text), byName: !text.includes("/") }));
  const wanted = all.filter((index) => {
    const { path } = layout.files[index];
    if (selection.ranges.some(({ first, last }) => index >= first && index <= last)) return true;
    return patterns.some(({ pattern, byName }) => pattern.test(path.join("/")) || (byName && pattern.test(path[path.length - 1])));
  });
  if (wanted.length === 0) throw bad(`none of the torrent's ${layout.files.length} files is selected`);
  return wanted;
}

/** The pieces that hold bytes of these files, as runs in order. */
export function spansOf(layout: TorrentLayout, indices: readonly number[]): FileRange[] {
  const spans: { first: number; last: number }[] = [];
  for (const index of indices) {
    const span = piecesOf(layout.files[index], layout.geometry.pieceLengthBytes);
    const before = spans.at(-1);
    if (span === undefined) continue;
    if (before !== undefined && span.first <= before.last + 1) before.last = Math.max(before.last, span.last);
    else spans.push({ ...span });
  }
  return spans;
}

function bad(message: string): SkimmerError {
  return new SkimmerError("bad_request", message, { hint: "dfget add --list-files shows the files with their numbers." });
}
