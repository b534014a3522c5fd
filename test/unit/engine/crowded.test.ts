/** Where all places are taken: who leaves for whom. */
import test from "ava";
import { encodeFlag, MESSAGE } from "../../../peer/engine/wire/messages.ts";
import { completed, contentOf, feed, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { greetedPeer, type RawPeer, rawPeer } from "../../support/hostile-peer.ts";
import { until } from "../../support/processes.ts";
import { addStandard, standardTorrent } from "../../support/standard-torrent.ts";

const MIB = 1024 * 1024;
const FILE = standardTorrent({ seed: 95, lengthBytes: 2 * MIB, pieceLengthBytes: MIB / 4 });
const MOST_PER_TORRENT = 100;

test("a torrent full of seeds lets a leech in: one with which there is nothing to exchange leaves", async (t) => {
  await using folder = await temporaryFolder();
  await using seed = await startEngine("peer");
  const torrent = await addStandard(seed, FILE, { folder: folder.path, version: 1 });
  await feed(torrent, FILE.content);
  const target = { port: seed.address.port, infoHash: torrent.infoHash };
  using stack = new DisposableStack();
  for (let count = 0; count < MOST_PER_TORRENT; count++) {
    const other = stack.use(await greetedPeer(target));
    await other.write(encodeFlag(MESSAGE.haveAll));
  }
  await until(() => torrent.stats.seeds === MOST_PER_TORRENT);
  await using leech = await startEngine("peer");
  const copy = await addStandard(leech, FILE, { folder: folder.path, version: 1 });
  copy.addPeers([seed.address]);
  copy.download(true);
  await completed(copy);
  t.true((await contentOf(copy)).equals(FILE.content));
  t.true(torrent.stats.connections <= MOST_PER_TORRENT);
});

test("more connections without a handshake than may wait: the oldest leave, and a leech gets in", async (t) => {
  await using folder = await temporaryFolder();
  await using seed = await startEngine("peer");
  const torrent = await addStandard(seed, FILE, { folder: folder.path, version: 1 });
  await feed(torrent, FILE.content);
  const target = { port: seed.address.port, infoHash: torrent.infoHash };
  using stack = new DisposableStack();
  const silent: RawPeer[] = [];
  for (let count = 0; count < 260; count++) silent.push(stack.use(await rawPeer(target)));
  await until(() => silent.filter(({ closed }) => closed).length >= 60);
  t.true(
    silent.slice(0, 50).every(({ closed }) => closed),
    "the oldest went",
  );
  t.false(silent[259].closed);
  await using leech = await startEngine("peer");
  const copy = await addStandard(leech, FILE, { folder: folder.path, version: 1 });
  copy.addPeers([seed.address]);
  copy.download(true);
  await completed(copy);
  t.true((await contentOf(copy)).equals(FILE.content));
});
