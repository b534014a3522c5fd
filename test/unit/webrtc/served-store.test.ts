import test from "ava";
import { type ChunkRange, ServedStore, type ServedTorrent } from "../../../peer/webrtc/served-store.ts";
import { geometryOf } from "../../../torrents/geometry.ts";

const PIECE = 256 * 1024;
/** Two whole pieces and one of 10 bytes. */
const LENGTH = 2 * PIECE + 10;

interface Asked {
  readonly index: number;
  readonly start: number;
  readonly lengthBytes: number;
}

function makeStore(missing: readonly number[] = []) {
  const asked: Asked[] = [];
  const torrent: ServedTorrent = {
    geometry: geometryOf({ lengthBytes: LENGTH, pieceLengthBytes: PIECE }),
    has: (index) => !missing.includes(index),
    serve: async (index, range) => {
      asked.push({ index, ...range });
      return Buffer.alloc(range.lengthBytes, index);
    },
  };
  let reads = 0;
  return { asked, reads: () => reads, store: new ServedStore(torrent, () => reads++) };
}

function get(store: ServedStore, index: number, range: ChunkRange | null): Promise<Buffer | string> {
  return new Promise((resolve) => store.get(index, range, (error, bytes) => resolve(error?.message ?? bytes ?? "nothing")));
}

test("ServedStore.get() asks the engine for the range, and for the whole piece where there is none", async (t) => {
  const { store, asked } = makeStore();
  t.is(store.chunkLength, PIECE);
  const block = await get(store, 1, { offset: 16_384, length: 16_384 });
  t.true(Buffer.isBuffer(block) && block.equals(Buffer.alloc(16_384, 1)));
  await get(store, 2, null);
  await new Promise<void>((resolve) => store.get(0, () => resolve()));
  t.deepEqual(asked, [
    { index: 1, start: 16_384, lengthBytes: 16_384 },
    { index: 2, start: 0, lengthBytes: 10 },
    { index: 0, start: 0, lengthBytes: PIECE },
  ]);
});

test("ServedStore.get() refuses what is not there, and never asks the engine for it", async (t) => {
  const { store, asked, reads } = makeStore([1]);
  for (const index of [-1, 3, 0.5, Number.NaN, 1]) t.is(await get(store, index, null), "no such piece");
  for (const range of [{ offset: 5, length: 6 }, { offset: -1, length: 1 }, { offset: 10 }, { length: 0 }, { offset: 0.5, length: 1 }])
    t.is(await get(store, 2, range), "no such block");
  t.deepEqual(asked, []);
  t.is(reads(), 0);
});

test("ServedStore takes nothing, and gives nothing once it is closed", async (t) => {
  const { store } = makeStore();
  t.regex(await new Promise<string>((resolve) => store.put(0, Buffer.alloc(1), (error) => resolve(String(error)))), /only read/);
  await new Promise<void>((resolve) => store.close(() => resolve()));
  t.is(await get(store, 0, null), "the store is closed");
});
