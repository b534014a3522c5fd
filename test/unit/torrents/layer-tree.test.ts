/** Spans of a file's Merkle tree against the tree's own definition, for all small trees. */
import { randomBytes } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { geometryOf } from "../../../torrents/geometry.ts";
import { HASH_BYTES, isSpanOf, LayerTree, provesRoot, treeHeight, uncleCount } from "../../../torrents/layer-tree.ts";
import { piecesRoot } from "../../../torrents/merkle.ts";

const PIECE_BYTES = 65536;

function fileOf(pieceCount: number) {
  const geometry = geometryOf({ lengthBytes: pieceCount * PIECE_BYTES - 5, pieceLengthBytes: PIECE_BYTES });
  const layer = randomBytes(pieceCount * HASH_BYTES);
  return { geometry, layer, piecesRoot: piecesRoot(layer, geometry) };
}

test("LayerTree has the root of piecesRoot(), for every number of pieces", (t) => {
  for (let count = 2; count <= 40; count++) {
    const file = fileOf(count);
    t.true(new LayerTree(file.layer, file.geometry).root.equals(file.piecesRoot), `${count} pieces`);
  }
});

test("LayerTree.hashes() proves each span of the piece layer, and one wrong bit disproves it", (t) => {
  for (const count of [2, 3, 5, 8, 13, 16, 33]) {
    const file = fileOf(count);
    const tree = new LayerTree(file.layer, file.geometry);
    const height = treeHeight(file.geometry);
    for (let length = 2; length <= 2 ** height; length *= 2) {
      for (let index = 0; index < 2 ** height; index += length) {
        const span = { layer: 0, index, length, proofs: height - 1 };
        t.true(isSpanOf(file.geometry, span));
        const answer = tree.hashes(span);
        t.is(answer.length, (length + uncleCount(span)) * HASH_BYTES);
        t.true(provesRoot(answer, span, file), `${count} pieces, ${length} from ${index}`);
        answer[(index * 7) % answer.length] ^= 4;
        t.false(provesRoot(answer, span, file));
      }
    }
  }
});

test("isSpanOf() refuses spans outside of the tree, odd lengths and too many proof layers", (t) => {
  const { geometry } = fileOf(13);
  const good = { layer: 0, index: 8, length: 8, proofs: 3 };
  t.true(isSpanOf(geometry, good));
  for (const bad of [{ index: 16 }, { index: 4 }, { length: 0 }, { length: 3 }, { length: 32 }, { layer: 5 }, { layer: -1 }, { proofs: 5 }])
    t.false(isSpanOf(geometry, { ...good, ...bad }), JSON.stringify(bad));
});

test("LayerTree.hashes() gives every span that isSpanOf() allows, with as many uncles as told", (t) => {
  const file = fileOf(21);
  const tree = new LayerTree(file.layer, file.geometry);
  const number = fc.nat(40);
  fc.assert(
    fc.property(fc.record({ layer: fc.nat(6), index: number, length: fc.constantFrom(1, 2, 4, 8, 16, 32), proofs: fc.nat(6) }), (span) => {
      if (!isSpanOf(file.geometry, span)) return;
      const most = (span.length + uncleCount(span)) * HASH_BYTES;
      const { length } = tree.hashes(span);
      // above the root there are no uncles
      t.true(length >= span.length * HASH_BYTES && length <= most);
    }),
    { numRuns: 2000 },
  );
});
