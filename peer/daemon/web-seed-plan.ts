/**
 * A torrent's bytes in the files of a web server (BEP 19): which file, from where, and its URL there. Decides.
 */
import { pieceLengthAt, pieceOffset } from "../../torrents/geometry.ts";
import type { TorrentLayout } from "../../torrents/torrent-layout.ts";

/** Bytes that follow each other: of one file, or padding. */
export type Segment =
  | { readonly kind: "file"; readonly file: number; readonly start: number; readonly lengthBytes: number }
  | { readonly kind: "zeros"; readonly lengthBytes: number };

/** Where the file is: a server's URL ends with the torrent's name, or with a slash, behind which that follows. */
export function webSeedUrl(seed: string, layout: Pick<TorrentLayout, "name" | "isSingle" | "files">, file: number): string {
  if (layout.isSingle) return seed.endsWith("/") ? `${seed}${encodeURIComponent(layout.name)}` : seed;
  const parts = [layout.name, ...layout.files[file].path].map(encodeURIComponent);
  return `${seed.replace(/\/?$/, "/")}${parts.join("/")}`;
}

/** What to read for the bytes `firstByte` to `lastByte` of the torrent. Padding behind a piece's content is left out, as whoever fills pieces does. */
export function segmentsOf(layout: TorrentLayout, firstByte: number, lastByte: number): Segment[] {
  const segments: Segment[] = [];
  let at = firstByte;
  for (const [file, { offset, lengthBytes }] of layout.files.entries()) {
    if (at > lastByte || offset > lastByte) break;
    const end = Math.min(offset + lengthBytes, lastByte + 1);
    if (end <= at) continue;
    addZeros(segments, layout, at, offset);
    const begin = Math.max(at, offset);
    segments.push({ kind: "file", file, start: begin - offset, lengthBytes: end - begin });
    at = end;
  }
  addZeros(segments, layout, at, lastByte + 1);
  return segments;
}

/** Padding from `at` up to `end`, as far as it counts as content of its piece. */
function addZeros(segments: Segment[], { geometry }: TorrentLayout, at: number, end: number): void {
  let lengthBytes = 0;
  for (let from = at; from < end; ) {
    const index = Math.floor(from / geometry.pieceLengthBytes);
    const offset = pieceOffset(geometry, index);
    const contentEnd = Math.min(end, offset + pieceLengthAt(geometry, index));
    lengthBytes += Math.max(0, contentEnd - from);
    from = Math.min(end, offset + geometry.pieceLengthBytes);
  }
  if (lengthBytes > 0) segments.push({ kind: "zeros", lengthBytes });
}
