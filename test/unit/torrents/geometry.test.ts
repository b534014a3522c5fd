import test from "ava";
import fc from "fast-check";
import { choosePieceLength, geometryOf, MAX_PIECE_BYTES, MIN_PIECE_BYTES, pieceLengthAt, pieceOffset } from "../../../torrents/geometry.ts";

test("piece lengths sum to the file's length, and offsets follow one another", (t) => {
  fc.assert(
    fc.property(fc.nat(5_000_000), fc.integer({ min: 10, max: 18 }), (lengthBytes, power) => {
      const geometry = geometryOf({ lengthBytes, pieceLengthBytes: 2 ** power });
      let offset = 0;
      for (let index = 0; index < geometry.pieceCount; index++) {
        t.is(pieceOffset(geometry, index), offset);
        const length = pieceLengthAt(geometry, index);
        if (length <= 0 || length > geometry.pieceLengthBytes) t.fail(`piece ${index} has ${length} bytes`);
        offset += length;
      }
      t.is(offset, lengthBytes);
    }),
    { numRuns: 50 },
  );
});

test("choosePieceLength() gives powers of two within bounds, and at most 500 pieces below 8 GiB", (t) => {
  fc.assert(
    fc.property(fc.nat(2 ** 45), (lengthBytes) => {
      const length = choosePieceLength(lengthBytes);
      t.true(Number.isInteger(Math.log2(length)) && length >= MIN_PIECE_BYTES && length <= MAX_PIECE_BYTES);
      if (lengthBytes <= 800 * MAX_PIECE_BYTES) t.true(lengthBytes / length <= 800);
    }),
  );
  t.is(choosePieceLength(0), MIN_PIECE_BYTES);
  t.is(choosePieceLength(500 * MIN_PIECE_BYTES), MIN_PIECE_BYTES);
  t.is(choosePieceLength(500 * MIN_PIECE_BYTES + 1), 2 * MIN_PIECE_BYTES);
});
