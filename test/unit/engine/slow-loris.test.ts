/** Peers that ask and do not read must not hold the memory that others need. */
import { randomBytes } from "node:crypto";
import test from "ava";
import { openEngine } from "../../../peer/engine/engine.ts";
import { encodeFlag, encodeRanges, MESSAGE } from "../../../peer/engine/wire/messages.ts";
import { silentLogger } from "../../../system/logger.ts";
import { makePeerId } from "../../../torrents/peer-id.ts";
import { completed, contentOf, feed, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { greetedPeer, pause } from "../../support/hostile-peer.ts";
import { addStandard, standardTorrent } from "../../support/standard-torrent.ts";

const MIB = 1024 * 1024;
const PIECE = MIB / 2;
const FILE = standardTorrent({ seed: 81, lengthBytes: 48 * MIB, pieceLengthBytes: PIECE });
const BUFFERS = 8 * MIB;

test("peers that ask for a block of every piece and read none do not keep an honest one from its file", async (t) => {
  await using folder = await temporaryFolder();
  const peerId = makePeerId("peer", randomBytes(20));
  const limits = { uploadBytesPerSecond: 0, downloadBytesPerSecond: 0, bufferBytes: BUFFERS };
  await using seed = await openEngine({ listen: { host: "127.0.0.1", port: 0 }, role: "peer", peerId, ...limits, logger: silentLogger });
  const torrent = await addStandard(seed, FILE, { folder: folder.path, version: 1 });
  await feed(torrent, FILE.content);
  const target = { port: seed.address.port, infoHash: torrent.infoHash };
  const { pieceCount } = FILE.geometry;
  const ranges = Array.from({ length: 2000 }, (_, at) => ({
    index: at % pieceCount,
    begin: 16384 * (Math.floor(at / pieceCount) % (PIECE / 16384)),
    length: 16384,
  }));
  using stack = new DisposableStack();
  for (let count = 0; count < 8; count++) {
    const loris = stack.use(await greetedPeer(target, false));
    await loris.write(Buffer.concat([encodeFlag(MESSAGE.interested), encodeFlag(MESSAGE.haveNone)]));
    // unchoked by then, or else the requests would only be rejected
    await pause(100);
    await loris.write(encodeRanges(MESSAGE.request, ranges));
  }
  await pause(1500);
  await using leech = await startEngine("peer");
  const copy = await addStandard(leech, FILE, { folder: folder.path, version: 1 });
  copy.addPeers([seed.address]);
  copy.download(true);
  await completed(copy);
  t.true((await contentOf(copy)).equals(FILE.content));
});
