/** Merkle trees of BEP 52, against a plain one that hashes every leaf of the whole file. */
import { hash } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { BLOCK_BYTES, geometryOf } from "../../../torrents/geometry.ts";
import { leavesPerPiece, pieceRoot, piecesRoot } from "../../../torrents/merkle.ts";
import { countedContent, hashesOf } from "./content.ts";

const sha256 = (bytes: Uint8Array): Buffer => hash("sha256", bytes, "buffer");

/** The file's root, leaf by leaf, padded with zero leaves to a power of two: BEP 52 as it reads. */
function plainRoot(content: Buffer): Buffer {
  let layer: Buffer[] = [];
  for (let at = 0; at < content.length; at += BLOCK_BYTES) layer.push(sha256(content.subarray(at, at + BLOCK_BYTES)));
  while (layer.length & (layer.length - 1)) layer.push(Buffer.alloc(32));
  while (layer.length > 1) layer = layer.flatMap((left, at) => (at % 2 === 0 ? [sha256(Buffer.concat([left, layer[at + 1]]))] : []));
  return layer[0];
}

test("piecesRoot() over pieceRoot() is the root over all leaves of the file, for any lengths", (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 * BLOCK_BYTES }), fc.constantFrom(1, 2, 4), (lengthBytes, blocks) => {
      const content = countedContent(lengthBytes);
      const { geometry, layer } = hashesOf(content, blocks * BLOCK_BYTES);
      t.true(piecesRoot(layer, geometry).equals(plainRoot(content)), `${lengthBytes} bytes, ${blocks} blocks a piece`);
    }),
    { numRuns: 60 },
  );
});

for (const lengthBytes of [1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 4 * BLOCK_BYTES, 4 * BLOCK_BYTES + 1, 8 * BLOCK_BYTES]) {
  test(`piecesRoot() is right at the edge of ${lengthBytes} bytes`, (t) => {
    const content = countedContent(lengthBytes);
    const { geometry, layer } = hashesOf(content, 4 * BLOCK_BYTES);
    t.deepEqual(piecesRoot(layer, geometry), plainRoot(content));
  });
}

test("leavesPerPiece() is that of a whole piece, and for a single piece that of its own blocks", (t) => {
  const leaves = (lengthBytes: number) => leavesPerPiece(geometryOf({ lengthBytes, pieceLengthBytes: 16 * BLOCK_BYTES }));
  t.is(leaves(0), 1);
  t.is(leaves(1), 1);
  t.is(leaves(BLOCK_BYTES + 1), 2);
  t.is(leaves(5 * BLOCK_BYTES), 8);
  t.is(leaves(16 * BLOCK_BYTES), 16);
  t.is(leaves(16 * BLOCK_BYTES + 1), 16);
});

test("pieceRoot() of one block is its SHA-256; missing leaves are zero", (t) => {
  const block = countedContent(100);
  t.deepEqual(pieceRoot(block, 1), sha256(block));
  t.deepEqual(pieceRoot(block, 2), sha256(Buffer.concat([sha256(block), Buffer.alloc(32)])));
});

test("pieceRoot() reads shared memory, as the hash worker does", (t) => {
  const content = countedContent(3 * BLOCK_BYTES);
  const shared = Buffer.from(new SharedArrayBuffer(content.length));
  content.copy(shared);
  t.deepEqual(pieceRoot(shared, 4), pieceRoot(content, 4));
});

test("piecesRoot() leaves the layer as it was, and gives bytes of its own", (t) => {
  const { geometry, layer } = hashesOf(countedContent(5 * BLOCK_BYTES), BLOCK_BYTES);
  const before = Buffer.from(layer);
  piecesRoot(layer, geometry).fill(0);
  t.deepEqual(layer, before);
  const single = hashesOf(countedContent(10), BLOCK_BYTES);
  piecesRoot(single.layer, single.geometry).fill(0);
  t.notDeepEqual(single.layer, Buffer.alloc(32));
});
