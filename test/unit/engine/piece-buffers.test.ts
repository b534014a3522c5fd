import test from "ava";
import { PieceBuffers } from "../../../peer/engine/piece-buffers.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const soon = (): AbortSignal => AbortSignal.timeout(5000);

test("PieceBuffers keeps to its budget, and gives the room of released slots again", (t) => {
  const buffers = new PieceBuffers(MIB);
  const slots = Array.from({ length: 4 }, () => buffers.tryAcquire(256 * KIB));
  t.true(slots.every((slot) => slot?.bytes.length === 256 * KIB));
  t.is(buffers.usedBytes, MIB);
  t.is(buffers.tryAcquire(1), undefined);
  for (const slot of slots) if (slot !== undefined) buffers.release(slot);
  t.is(buffers.usedBytes, 0);
});

test("PieceBuffers: slots of the arena share one memory and do not touch each other's bytes", (t) => {
  const buffers = new PieceBuffers(MIB);
  const first = buffers.tryAcquire(100 * KIB);
  const second = buffers.tryAcquire(100 * KIB);
  t.is(first?.memory, second?.memory);
  first?.bytes.fill(1);
  second?.bytes.fill(2);
  t.true(first?.bytes.every((byte) => byte === 1));
});

test("PieceBuffers: cache entries nobody reads make room, the least recently used first", (t) => {
  const buffers = new PieceBuffers(MIB);
  for (const key of ["a", "b", "c", "d"]) {
    const slot = buffers.tryAcquire(256 * KIB);
    if (slot === undefined) return t.fail();
    buffers.cache(key, slot);
    buffers.release(slot);
  }
  const read = buffers.lookup("a");
  t.truthy(buffers.tryAcquire(256 * KIB));
  t.deepEqual(
    ["a", "b", "c", "d"].map((key) => buffers.isCached(key)),
    [true, false, true, true],
  );
  t.truthy(buffers.tryAcquire(512 * KIB) ?? buffers.tryAcquire(256 * KIB));
  t.true(buffers.isCached("a"), "somebody reads it");
  if (read !== undefined) buffers.release(read);
});

test("PieceBuffers.acquire() waits for room, in turn; an abort leaves the line", async (t) => {
  const buffers = new PieceBuffers(MIB);
  const held = Array.from({ length: 4 }, () => buffers.tryAcquire(256 * KIB));
  const gone = new AbortController();
  const aborted = buffers.acquire(256 * KIB, gone.signal);
  const waiting = buffers.acquire(256 * KIB, soon());
  gone.abort(new Error("gone"));
  await t.throwsAsync(aborted, { message: "gone" });
  if (held[0] !== undefined) buffers.release(held[0]);
  t.is((await waiting).bytes.length, 256 * KIB);
});

test("PieceBuffers: pieces that are long against the budget get four slots with memory of their own, and it is given back", (t) => {
  const freed: number[] = [];
  const buffers = new PieceBuffers(MIB, (memoryId) => freed.push(memoryId));
  const slots = Array.from({ length: 4 }, () => buffers.tryAcquire(2 * MIB));
  t.is(new Set(slots.map((slot) => slot?.memory.id)).size, 4);
  t.is(buffers.tryAcquire(2 * MIB), undefined);
  for (const slot of slots) if (slot !== undefined) buffers.release(slot);
  t.deepEqual(
    freed,
    slots.map((slot) => slot?.memory.id),
  );
  t.is(buffers.usedBytes, 0);
});

test("PieceBuffers.use() waits for nobody's slots: beside a full pool there is one, used in turn, and given back", async (t) => {
  const freed: number[] = [];
  const buffers = new PieceBuffers(MIB, (memoryId) => freed.push(memoryId));
  t.is(await buffers.use(100 * KIB, async (slot) => slot.bytes.length), 100 * KIB, "there is room");
  t.deepEqual(freed, []);
  const held = Array.from({ length: 4 }, () => buffers.tryAcquire(256 * KIB));
  const waiting = buffers.acquire(256 * KIB, soon());
  let at = 0;
  let most = 0;
  const use = () =>
    buffers.use(512 * KIB, async () => {
      most = Math.max(most, ++at);
      t.is(buffers.usedBytes, MIB + 512 * KIB);
      await new Promise(setImmediate);
      at--;
    });
  await t.throwsAsync(
    buffers.use(512 * KIB, () => Promise.reject(new Error("disk"))),
    { message: "disk" },
  );
  await Promise.all([use(), use(), use()]);
  t.is(most, 1);
  t.is(freed.length, 4);
  t.is(buffers.usedBytes, MIB);
  for (const slot of held) if (slot !== undefined) buffers.release(slot);
  buffers.release(await waiting);
  t.is(buffers.usedBytes, 0);
});
