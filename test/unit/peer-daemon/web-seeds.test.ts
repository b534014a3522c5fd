/** Web seeds: what is read for which bytes, and who is left alone. */
import test from "ava";
import fc from "fast-check";
import { segmentsOf, webSeedUrl } from "../../../peer/daemon/web-seed-plan.ts";
import { pieceLengthAt, pieceOffset } from "../../../torrents/geometry.ts";
import { type LayoutFile, layoutGeometry, type TorrentLayout } from "../../../torrents/torrent-layout.ts";

const PIECE = 16_384;

function file(path: readonly string[], offset: number, lengthBytes: number): LayoutFile {
  return { path, offset, lengthBytes, executable: false };
}

/** Files end to end, or each at the beginning of a piece. */
function layoutOf(lengths: readonly number[], aligned: boolean): TorrentLayout {
  let end = 0;
  const files = lengths.map((lengthBytes, index) => {
    const offset = aligned && lengthBytes > 0 ? Math.ceil(end / PIECE) * PIECE : end;
    end = offset + lengthBytes;
    return file([`${index}`], offset, lengthBytes);
  });
  return { name: "t", files, isSingle: false, geometry: layoutGeometry(files, { lengthBytes: end, pieceLengthBytes: PIECE }) };
}

test("webSeedUrl() names the file behind the server's URL (BEP 19)", (t) => {
  const single = { name: "a b.bin", isSingle: true, files: [file(["a b.bin"], 0, 5)] };
  t.is(webSeedUrl("http://h/x?v=1", single, 0), "http://h/x?v=1");
  t.is(webSeedUrl("http://h/pub/", single, 0), "http://h/pub/a%20b.bin");
  const several = { name: "t#", isSingle: false, files: [file(["d", "f?"], 0, 5)] };
  t.is(webSeedUrl("http://h/pub", several, 0), "http://h/pub/t%23/d/f%3F");
  t.is(webSeedUrl("http://h/pub/", several, 0), "http://h/pub/t%23/d/f%3F");
});

test("segmentsOf() goes across files, and passes over empty ones", (t) => {
  const layout = layoutOf([10, 0, 20_000, 5], false);
  t.deepEqual(segmentsOf(layout, 0, 20_014), [
    { kind: "file", file: 0, start: 0, lengthBytes: 10 },
    { kind: "file", file: 2, start: 0, lengthBytes: 20_000 },
    { kind: "file", file: 3, start: 0, lengthBytes: 5 },
  ]);
  t.deepEqual(segmentsOf(layout, 5, 12), [
    { kind: "file", file: 0, start: 5, lengthBytes: 5 },
    { kind: "file", file: 2, start: 0, lengthBytes: 3 },
  ]);
});

test("segmentsOf() leaves padding behind a piece's content out", (t) => {
  const layout = layoutOf([10, 20], true);
  // two pieces of 10 and 20 bytes of content; 16,374 bytes of padding lie in between
  t.deepEqual(segmentsOf(layout, 0, PIECE + 19), [
    { kind: "file", file: 0, start: 0, lengthBytes: 10 },
    { kind: "file", file: 1, start: 0, lengthBytes: 20 },
  ]);
});

test("segmentsOf() gives each run of pieces exactly the bytes that its pieces take", (t) => {
  const lengths = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3 * PIECE })), { minLength: 1, maxLength: 8 });
  const isExact = fc.property(lengths, fc.boolean(), fc.nat(), fc.nat(), (sizes, aligned, from, count) => {
    const layout = layoutOf(sizes, aligned);
    const { geometry } = layout;
    if (geometry.pieceCount === 0) return true;
    const first = from % geometry.pieceCount;
    const last = Math.min(geometry.pieceCount - 1, first + (count % 4));
    const firstByte = pieceOffset(geometry, first);
    const lastByte = pieceOffset(geometry, last) + pieceLengthAt(geometry, last) - 1;
    let expected = 0;
    for (let index = first; index <= last; index++) expected += pieceLengthAt(geometry, index);
    const segments = segmentsOf(layout, firstByte, lastByte);
    const inside = segments.every((part) => part.kind === "zeros" || part.start + part.lengthBytes <= layout.files[part.file].lengthBytes);
    return inside && segments.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0) === expected;
  });
  t.notThrows(() => fc.assert(isExact));
});
