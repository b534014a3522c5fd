/**
 * BitTorrent v2 without a piece layer at hand, as after a magnet link: hashes (BEP 52) and metadata (BEP 9) both ways with libtorrent.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import type { InfoHash } from "../../torrents/ids.ts";
import { magnetLink } from "../../torrents/torrent-file.ts";
import { sha256Of } from "../support/cluster.ts";
import { completed, contentOf, feed, startEngine } from "../support/engines.ts";
import { temporaryFolder } from "../support/folders.ts";
import { until } from "../support/processes.ts";
import { addStandard, standardTorrent, writeTorrent } from "../support/standard-torrent.ts";
import { hasLibtorrent, libtorrent } from "../support/tools.ts";

const MIB = 1024 * 1024;
/** More pieces than one answer holds (512), and an end within a block. */
const MANY = standardTorrent({ seed: 41, lengthBytes: 38 * MIB + 1234, pieceLengthBytes: MIB / 16 });
const FEW = standardTorrent({ seed: 42, lengthBytes: 3 * MIB + 1, pieceLengthBytes: MIB });
/** One piece has no layer: its root is the file's. */
const ONE = standardTorrent({ seed: 43, lengthBytes: 200_000, pieceLengthBytes: MIB });
const libtorrentTest = hasLibtorrent() ? test : test.skip;

for (const [name, file] of [
  ["609 pieces", MANY],
  ["4 pieces", FEW],
  ["one piece", ONE],
] as const) {
  libtorrentTest(`we leech a v2 torrent of ${name} from libtorrent, knowing its hash only`, async (t) => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, file.name), file.content);
    await using seed = libtorrent([await writeTorrent(file, { folder: folder.path, version: 2 }), folder.path, "seed"]);
    const { port, v2 } = JSON.parse(await seed.firstLine()) as { port: number; v2: string };
    await using engine = await startEngine("peer");
    const peer = { host: "127.0.0.1", port };
    const signal = AbortSignal.timeout(20_000);
    let info: Buffer | undefined;
    // it hangs up on everybody until it has looked at its files
    await until(async () => {
      info = await engine.fetchInfo(v2.slice(0, 40) as InfoHash, [peer], { signal }).catch(() => undefined);
      return info !== undefined;
    }, 20_000);
    t.true(info?.equals(file.infoV2));
    const torrent = await addStandard(engine, file, { folder: folder.path, version: 2, withLayer: false });
    torrent.addPeers([peer]);
    torrent.download(true);
    await completed(torrent);
    t.true((await contentOf(torrent)).equals(file.content));
    t.true(torrent.pieceLayer?.equals(file.layer.hashes));
  });

  libtorrentTest(`libtorrent leeches a v2 torrent of ${name} from us, knowing its magnet link only`, async (t) => {
    await using folder = await temporaryFolder();
    await using engine = await startEngine("peer");
    const torrent = await addStandard(engine, file, { folder: folder.path, version: 2 });
    await feed(torrent, file.content);
    const target = join(folder.path, "leech");
    const magnet = magnetLink({ name: file.name, infoV2: file.infoV2, trackers: [] });
    await using leech = libtorrent([magnet, target, "leech", `127.0.0.1:${engine.address.port}`]);
    t.is(await leech.exited, 0, leech.output());
    t.is(await sha256Of(join(target, file.name)), file.sha256);
  });
}
