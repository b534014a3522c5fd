import test from "ava";
import { PieceTruth } from "../../../peer/engine/piece-truth.ts";
import { geometryOf } from "../../../torrents/geometry.ts";
import { piecesRoot } from "../../../torrents/merkle.ts";
import type { RecordGroup } from "../../../torrents/piece-records.ts";

const PIECE = 256 * 1024;
const GEOMETRY = geometryOf({ lengthBytes: 3 * PIECE + 5, pieceLengthBytes: PIECE });
const root = (byte: number): Buffer => Buffer.alloc(32, byte);
const group = (...records: [index: number, byte: number][]): RecordGroup => ({
  records: records.map(([index, byte]) => ({ index, root: root(byte) })),
  signature: Buffer.alloc(64),
});

test("PieceTruth knows nothing at first, then what groups told", (t) => {
  const truth = new PieceTruth(GEOMETRY);
  t.is(truth.expectation(0), undefined);
  t.false(truth.checkable?.has(0));
  const first = group([0, 1], [3, 4]);
  t.is(truth.judge(first), "new");
  t.is(truth.addGroup(first).length, 2);
  t.deepEqual(truth.expectation(3), { root: root(4) });
  t.is(truth.groupOf(3), first);
  t.is(truth.judge(first), "known");
  t.false(truth.allRootsKnown);
  t.is(truth.addGroup(group([0, 1], [1, 2], [2, 3])).length, 2);
  t.true(truth.allRootsKnown);
  t.deepEqual(truth.layer, Buffer.concat([1, 2, 3, 4].map(root)));
});

test("PieceTruth.judge() finds impossible and contradicting groups bad", (t) => {
  const truth = new PieceTruth(GEOMETRY);
  truth.addGroup(group([0, 1]));
  t.is(truth.judge(group([4, 1])), "bad");
  t.is(truth.judge(group([0xffffffff, 1])), "bad");
  t.is(truth.judge(group([1, 1], [0, 9])), "bad");
});

test("PieceTruth.addGroup() never changes a known root", (t) => {
  const truth = new PieceTruth(GEOMETRY);
  truth.addGroup(group([0, 1]));
  t.deepEqual(truth.addGroup(group([0, 9], [1, 2])), [{ index: 1, root: root(2) }]);
  t.deepEqual(truth.rootOf(0), root(1));
});

test("PieceTruth.useLayer() takes only a layer that leads to the root", (t) => {
  const layer = Buffer.concat([1, 2, 3, 4].map(root));
  const truth = new PieceTruth(GEOMETRY, [{ piecesRoot: piecesRoot(layer, GEOMETRY), firstPiece: 0, geometry: GEOMETRY }]);
  t.false(truth.useLayer(Buffer.concat([1, 2, 3, 5].map(root))));
  t.false(truth.useLayer(layer.subarray(32)));
  t.false(truth.allRootsKnown);
  t.true(truth.useLayer(layer));
  t.deepEqual(truth.expectation(2), { root: root(3) });
});

test("PieceTruth.expectation() prefers the root to the SHA-1", (t) => {
  const truth = new PieceTruth(GEOMETRY);
  truth.useSha1s(Buffer.concat([1, 2, 3, 4].map((byte) => Buffer.alloc(20, byte))));
  t.deepEqual(truth.expectation(3), { sha1: Buffer.alloc(20, 4) });
  t.is(truth.checkable, undefined);
  truth.addGroup(group([3, 7]));
  t.deepEqual(truth.expectation(3), { root: root(7) });
});

test("PieceTruth.lengthAt() knows the short last piece", (t) => {
  t.is(new PieceTruth(GEOMETRY).lengthAt(3), 5);
});
