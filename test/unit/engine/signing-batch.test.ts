import { EventEmitter, once } from "node:events";
import test from "ava";
import { SigningBatch } from "../../../peer/engine/signing-batch.ts";

const record = (index: number) => ({ index, root: Buffer.alloc(32, index) });

test("SigningBatch signs the first piece and the last at once, and those between together", async (t) => {
  const groups: number[][] = [];
  const signed = new EventEmitter();
  const batch = new SigningBatch((records) => {
    groups.push(records.map(({ index }) => index));
    signed.emit("group");
  });
  batch.add(record(0), { signed: 0, pieceCount: 5 });
  t.deepEqual(groups, [[0]]);
  batch.add(record(1), { signed: 1, pieceCount: 5 });
  batch.add(record(2), { signed: 1, pieceCount: 5 });
  await once(signed, "group", { signal: AbortSignal.timeout(5000) });
  t.deepEqual(groups, [[0], [1, 2]]);
  batch.add(record(3), { signed: 3, pieceCount: 5 });
  batch.add(record(4), { signed: 3, pieceCount: 5 });
  t.deepEqual(groups, [[0], [1, 2], [3, 4]]);
});

test("SigningBatch.flush() signs what waits, and nothing where nothing waits", (t) => {
  const groups: number[][] = [];
  const batch = new SigningBatch((records) => groups.push(records.map(({ index }) => index)));
  batch.flush();
  batch.add(record(7), { signed: 1, pieceCount: 9 });
  batch.flush();
  batch.flush();
  t.deepEqual(groups, [[7]]);
});
