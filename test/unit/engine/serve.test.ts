import { randomBytes } from "node:crypto";
import test from "ava";
import { addTorrent, feed, liveFile, PIECE_BYTES, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { until } from "../../support/processes.ts";

/** A seeder with the first two of three pieces. */
async function setUp(limits: { upload?: number } = {}) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const content = randomBytes(2 * PIECE_BYTES + 10);
  const engine = stack.use(await startEngine("seeder", limits));
  const torrent = await addTorrent(engine, liveFile(content), `${folder.path}/seed`, true);
  await feed(torrent, content, 2);
  // they are there once their records are signed
  await until(() => torrent.has(0) && torrent.has(1));
  return { torrent, content, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("Torrent.serve() reads a block, and counts it as uploaded", async (t) => {
  await using setting = await setUp();
  const { torrent, content } = setting;
  const block = await torrent.serve(1, { start: 16_384, lengthBytes: 100_000 });
  t.true(block.equals(content.subarray(PIECE_BYTES + 16_384, PIECE_BYTES + 116_384)));
  t.is(torrent.stats.uploadedBytes, 100_000);
});

test("Torrent.serve() rejects a piece that is not there, and counts nothing", async (t) => {
  await using setting = await setUp();
  await t.throwsAsync(setting.torrent.serve(2, { start: 0, lengthBytes: 10 }), { message: /piece 2/ });
  t.is(setting.torrent.stats.uploadedBytes, 0);
});

test("Torrent.serve() keeps to the upload limit", async (t) => {
  await using setting = await setUp({ upload: 200_000 });
  const beganMs = performance.now();
  for (let turn = 0; turn < 4; turn++) await setting.torrent.serve(0, { start: 0, lengthBytes: 50_000 });
  // the fourth waits for the debt of three, 150 kB, less a fifth of a second's credit: (150 - 40) ÷ 200 s
  t.true(performance.now() - beganMs >= 500, String(performance.now() - beganMs));
});
