/** Pieces in spite of choking (BEP 6) between ours and libtorrent. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { sha256Of } from "../support/cluster.ts";
import { completed, contentOf, feed, startEngine } from "../support/engines.ts";
import { temporaryFolder } from "../support/folders.ts";
import { addStandard, standardTorrent, writeTorrent } from "../support/standard-torrent.ts";
import { hasLibtorrent, libtorrent } from "../support/tools.ts";

const PIECE = 64 * 1024;
/** As many pieces as may be had of a peer that chokes. */
const FILE = standardTorrent({ seed: 81, lengthBytes: 9 * PIECE + 5, pieceLengthBytes: PIECE });
const libtorrentTest = hasLibtorrent() ? test : test.skip;

for (const version of [1, 2] as const) {
  libtorrentTest(`libtorrent, which chokes us throughout, gives us the ten pieces of a small v${version} torrent`, async (t) => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, FILE.name), FILE.content);
    const path = await writeTorrent(FILE, { folder: folder.path, version });
    await using seed = libtorrent([path, folder.path, "seed", "--chokes"]);
    const { port } = JSON.parse(await seed.firstLine());
    await using engine = await startEngine("peer");
    const torrent = await addStandard(engine, FILE, { folder: folder.path, version });
    torrent.addPeers([{ host: "127.0.0.1", port }]);
    torrent.download(true);
    await completed(torrent);
    t.true((await contentOf(torrent)).equals(FILE.content));
    t.deepEqual(engine.banned, []);
  });

  libtorrentTest(`libtorrent downloads a v${version} torrent from us, who allow it pieces fast`, async (t) => {
    await using folder = await temporaryFolder();
    await using engine = await startEngine("peer");
    const torrent = await addStandard(engine, FILE, { folder: folder.path, version });
    await feed(torrent, FILE.content);
    const path = await writeTorrent(FILE, { folder: folder.path, version });
    const target = join(folder.path, "leech");
    await using leech = libtorrent([path, target, "leech", `127.0.0.1:${engine.address.port}`]);
    t.is(await leech.exited, 0, leech.output());
    t.is(await sha256Of(join(target, FILE.name)), FILE.sha256);
    t.deepEqual(engine.banned, []);
  });
}
