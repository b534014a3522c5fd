import { createHash, randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import test from "ava";
import { HashWorkers, type PieceJob } from "../../../peer/engine/hash-workers.ts";
import type { Slot } from "../../../peer/engine/piece-buffers.ts";
import { temporaryFolder } from "../../support/folders.ts";

const MIB = 1024 * 1024;

/** Piece buffers of one memory, filled at random, and a file to write to. */
async function setUp(pieceBytes: number, count: number) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const file = stack.use(await open(`${folder.path}/content`, "w+"));
  const workers = stack.adopt(new HashWorkers(), (open) => open.close());
  const shared = new SharedArrayBuffer(pieceBytes * count);
  const bytes = Buffer.from(shared);
  randomBytes(bytes.length).copy(bytes);
  const pieceAt = (at: number): Buffer => bytes.subarray(at * pieceBytes, (at + 1) * pieceBytes);
  const run = (at: number, job: Partial<PieceJob> = {}) =>
    workers.run(
      { memory: { id: 1, shared } as Slot["memory"], offset: at * pieceBytes },
      {
        lengthBytes: pieceBytes,
        leafCount: 0,
        sha1: true,
        fd: file.fd,
        offset: at * pieceBytes,
        ...job,
      },
    );
  return { file, bytes, pieceAt, run, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const sha1 = (bytes: Buffer): Buffer => createHash("sha1").update(bytes).digest();

for (const [where, pieceBytes] of [
  ["on the event loop", 64 * 1024],
  ["in a thread", 2 * MIB],
] as const) {
  test(`HashWorkers.run() ${where}: hashes, compares, and writes what is right`, async (t) => {
    await using setting = await setUp(pieceBytes, 3);
    const { file, bytes, pieceAt, run } = setting;
    const wanted = sha1(pieceAt(1));
    const [first, second, wrong] = await Promise.all([run(0), run(1, { expectedSha1: wanted }), run(2, { expectedSha1: wanted })]);
    t.deepEqual([first.good, second.good, wrong.good], [true, true, false]);
    t.deepEqual(Buffer.from(first.sha1 ?? []), sha1(pieceAt(0)));
    t.true((await file.readFile()).equals(bytes.subarray(0, 2 * pieceBytes)));
  });

  test(`HashWorkers.run() ${where}: a disk that fails is told`, async (t) => {
    await using setting = await setUp(pieceBytes, 1);
    const parts = [{ path: "/nowhere/at/all", fd: -1, offset: 0, start: 0, lengthBytes: 10 }];
    t.is((await setting.run(0, { fd: -1, parts })).error?.code, "ENOENT");
  });
}

test("HashWorkers.run() answers each job once, also while threads come to help", async (t) => {
  await using setting = await setUp(MIB, 16);
  const { pieceAt, run } = setting;
  // more than the event loop takes at once
  const results = await Promise.all(Array.from({ length: 160 }, (_, at) => run(at % 16)));
  t.true(results.every((result, at) => sha1(pieceAt(at % 16)).equals(result.sha1 ?? Buffer.alloc(0))));
});
