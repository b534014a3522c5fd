/** A torrent that has to be read through when it is opened again, while others hold all the memory for pieces. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { contentOf, feed, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { newPeerId } from "../../support/hostile-peer.ts";
import { addStandard, standardTorrent } from "../../support/standard-torrent.ts";

const PIECE = 64 * 1024;
const BUFFER_BYTES = 4 * PIECE;
const STORED = standardTorrent({ seed: 91, lengthBytes: 9 * PIECE + 5, pieceLengthBytes: PIECE });
const BUSY = standardTorrent({ seed: 92, lengthBytes: 20 * PIECE, pieceLengthBytes: PIECE });
/** It used to wait for a minute, and to fail then. */
const SOON_MS = 20_000;

test("Engine.add() checks what is stored though a download holds every piece buffer", async (t) => {
  await using folder = await temporaryFolder();
  const peerId = newPeerId();
  let directory: string;
  {
    await using engine = await startEngine("peer", { peerId });
    const torrent = await addStandard(engine, STORED, { folder: folder.path, version: 1 });
    await feed(torrent, STORED.content);
    directory = join(torrent.dataPath, "..");
  }
  // nothing tells that the machine was not switched off meanwhile
  await rm(join(directory, "meta"));
  await using engine = await startEngine("peer", { peerId, bufferBytes: BUFFER_BYTES });
  const busy = await addStandard(engine, BUSY, { folder: join(folder.path, "busy"), version: 1 });
  const signal = AbortSignal.timeout(SOON_MS);
  const held = [];
  for (let index = 0; index < BUFFER_BYTES / PIECE; index++) held.push(await busy.acquire(busy.claimMissing(1)?.first ?? 0, { signal }));
  const again = await Promise.race([
    addStandard(engine, STORED, { folder: folder.path, version: 1 }),
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(new Error("it waits")), { once: true })),
  ]);
  t.true(again.complete);
  for (const buffer of held) buffer.release();
  t.true((await contentOf(again)).equals(STORED.content));
});
