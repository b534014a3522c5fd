/** Where all places are taken: who leaves for whom. */
import { once } from "node:events";
import test from "ava";
import { type WireContent, WirePeer } from "../../../bench/contenders/wire-peer.ts";
import { encodeFlag, MESSAGE } from "../../../peer/engine/wire/messages.ts";
import { realClock } from "../../../system/clock.ts";
import { completed, contentOf, feed, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { greetedPeer, type RawPeer, rawPeer } from "../../support/hostile-peer.ts";
import { until } from "../../support/processes.ts";
import { addStandard, standardTorrent } from "../../support/standard-torrent.ts";

const MIB = 1024 * 1024;
const FILE = standardTorrent({ seed: 95, lengthBytes: 2 * MIB, pieceLengthBytes: MIB / 4 });
/** Places of a torrent for those that dial it. */
const MOST_ACCEPTED = 240;

test("a torrent full of seeds lets a leech in: one with which there is nothing to exchange leaves", async (t) => {
  await using folder = await temporaryFolder();
  await using seed = await startEngine("peer");
  const torrent = await addStandard(seed, FILE, { folder: folder.path, version: 1 });
  await feed(torrent, FILE.content);
  const target = { port: seed.address.port, infoHash: torrent.infoHash };
  using stack = new DisposableStack();
  for (let count = 0; count < MOST_ACCEPTED; count++) {
    const other = stack.use(await greetedPeer(target));
    await other.write(encodeFlag(MESSAGE.haveAll));
  }
  await until(() => torrent.stats.seeds === MOST_ACCEPTED);
  await using leech = await startEngine("peer");
  const copy = await addStandard(leech, FILE, { folder: folder.path, version: 1 });
  copy.addPeers([seed.address]);
  copy.download(true);
  await completed(copy);
  t.true((await contentOf(copy)).equals(FILE.content));
  t.true(torrent.stats.connections <= MOST_ACCEPTED);
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

const WIRE_CONTENT: WireContent = { infoV1: FILE.infoV1, bytes: FILE.content };

/** So many peers of ours that know nobody else, and how they come out. */
async function takeAll(address: { host: string; port: number }, leeches: number, staysInterested: boolean): Promise<WirePeer[]> {
  const peers = await Promise.all(
    Array.from({ length: leeches }, () => WirePeer.connect(`${address.host}:${address.port}`, WIRE_CONTENT, { staysInterested })),
  );
  const signal = AbortSignal.timeout(60_000);
  await Promise.all(peers.map(async (peer) => (peer.done ? undefined : once(peer, "done", { signal }))));
  return peers;
}

for (const [role, staysInterested] of [
  ["seeder", false],
  ["peer", true],
] as const) {
  const manner = staysInterested ? "stay interested for ever" : "say when they want nothing more";
  test(`200 peers of ours that have nobody else all get everything from one ${role}, which they are all connected to; they ${manner}`, async (t) => {
    await using folder = await temporaryFolder();
    await using seed = await startEngine(role);
    const torrent = await addStandard(seed, FILE, { folder: folder.path, version: 1 });
    await feed(torrent, FILE.content);
    const peers = await takeAll(seed.address, 200, staysInterested);
    t.teardown(() => peers.forEach((peer) => void peer.close()));
    t.is(torrent.stats.connections, 200);
    t.true(peers.every(({ done }) => done));
    t.is(torrent.stats.uploadedBytes, 200 * FILE.content.length, "nothing was sent twice");
  });
}

test("one task of a daemon with 200 connections: what others bring in is taken from all of them, and passed on", async (t) => {
  await using folder = await temporaryFolder();
  await using seeder = await startEngine("peer");
  await using daemon = await startEngine("peer");
  const from = await addStandard(seeder, FILE, { folder: `${folder.path}/a`, version: 1 });
  const through = await addStandard(daemon, FILE, { folder: `${folder.path}/b`, version: 1 });
  await feed(from, FILE.content);
  const waiting = takeAll(daemon.address, 200, false);
  await until(() => through.stats.connections === 200, 30_000);
  through.addPeers([seeder.address]);
  through.download(true);
  const peers = await waiting;
  t.teardown(() => peers.forEach((peer) => void peer.close()));
  t.true(through.complete);
  t.is(from.stats.uploadedBytes, FILE.content.length, "one copy");
});

test("one address that has taken all places gives one up to another address, once nothing was asked there for a while", async (t) => {
  await using folder = await temporaryFolder();
  let laterMs = 0;
  await using seed = await startEngine("peer", { clock: { nowMs: () => realClock.nowMs() + laterMs } });
  const torrent = await addStandard(seed, FILE, { folder: folder.path, version: 1 });
  await feed(torrent, FILE.content);
  const target = { port: seed.address.port, infoHash: torrent.infoHash };
  using stack = new DisposableStack();
  const crowd: RawPeer[] = [];
  for (let count = 0; count < MOST_ACCEPTED; count++) crowd.push(stack.use(await greetedPeer(target)));
  await until(() => torrent.stats.connections === MOST_ACCEPTED, 30_000);
  const refused = stack.use(await greetedPeer({ ...target, from: "127.0.0.2" }));
  await refused.ended(10_000);
  t.true(refused.closed, "all places are in use");
  laterMs = 31_000;
  stack.use(await greetedPeer({ ...target, from: "127.0.0.2" }));
  await until(() => torrent.peers.some(({ host }) => host === "127.0.0.2"), 10_000);
  await until(() => crowd.filter(({ closed }) => closed).length === 1, 10_000);
  t.is(torrent.stats.connections, MOST_ACCEPTED);
});
