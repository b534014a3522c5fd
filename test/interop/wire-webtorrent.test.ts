/** webtorrent over TCP with our engine, both ways. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { sha256Of } from "../support/cluster.ts";
import { completed, contentOf, feed, startEngine } from "../support/engines.ts";
import { temporaryFolder } from "../support/folders.ts";
import { until } from "../support/processes.ts";
import { addStandard, standardTorrent, writeTorrent } from "../support/standard-torrent.ts";
import { webtorrent } from "../support/tools.ts";

const MIB = 1024 * 1024;
const FILE = standardTorrent({ seed: 51, lengthBytes: 12 * MIB + 77, pieceLengthBytes: MIB / 4 });

test("we leech from webtorrent", async (t) => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, FILE.name), FILE.content);
  await using seed = webtorrent([await writeTorrent(FILE, { folder: folder.path, version: 1 }), folder.path, "seed"]);
  const { port } = JSON.parse(await seed.firstLine()) as { port: number };
  await using engine = await startEngine("peer");
  const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
  torrent.addPeers([{ host: "127.0.0.1", port }]);
  torrent.download(true);
  await completed(torrent);
  t.true((await contentOf(torrent)).equals(FILE.content));
});

test("we seed to webtorrent", async (t) => {
  await using folder = await temporaryFolder();
  await using engine = await startEngine("peer");
  const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
  await feed(torrent, FILE.content);
  const target = join(folder.path, "leech");
  await mkdir(target);
  const path = await writeTorrent(FILE, { folder: folder.path, version: 1 });
  await using leech = webtorrent([path, target, "leech", `127.0.0.1:${engine.address.port}`]);
  await until(() => leech.output().includes('"done"'), 60_000);
  t.is(await sha256Of(join(target, FILE.name)), FILE.sha256);
});
