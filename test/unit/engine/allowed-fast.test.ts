/** Pieces in spite of choking (BEP 6): which, how many, asked for and served. Scripts over loopback against an engine that leeches, or seeds. */
import { once } from "node:events";
import net from "node:net";
import test from "ava";
import { allowedFastSet, FastGrant } from "../../../peer/engine/allowed-fast.ts";
import { encodeHandshake, HANDSHAKE_BYTES } from "../../../peer/engine/wire/handshake.ts";
import { type BlockRange, encodeBlockHeader, encodeFlag, encodeIndex, encodeRanges, MESSAGE } from "../../../peer/engine/wire/messages.ts";
import type { InfoHash } from "../../../torrents/ids.ts";
import { contentOf, feed, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { newPeerId } from "../../support/hostile-peer.ts";
import { until } from "../../support/processes.ts";
import { startScriptedPeer } from "../../support/scripted-peer.ts";
import { addStandard, standardTorrent } from "../../support/standard-torrent.ts";

const PIECE = 64 * 1024;
const FILE = standardTorrent({ seed: 71, lengthBytes: 20 * PIECE + 777, pieceLengthBytes: PIECE });
const FAST = { 7: 0x04 };
const AAAA = "aa".repeat(20) as InfoHash;

test("allowedFastSet() is BEP 6's: its examples", (t) => {
  const peer = { host: "80.4.4.200", infoHash: AAAA };
  t.deepEqual(allowedFastSet(peer, 1313, 7), [1059, 431, 808, 1217, 287, 376, 1188]);
  t.deepEqual(allowedFastSet(peer, 1313, 9), [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]);
  t.deepEqual(allowedFastSet({ ...peer, host: "80.4.4.7" }, 1313, 7), allowedFastSet(peer, 1313, 7), "a neighbour gets the same");
});

test("allowedFastSet() is ten pieces, all of fewer, and none where the address is not IPv4", (t) => {
  const peer = { host: "127.0.0.1", infoHash: AAAA };
  for (const pieceCount of [11, 12, 1000]) {
    const set = allowedFastSet(peer, pieceCount);
    t.is(new Set(set).size, 10);
    t.true(set.every((index) => index >= 0 && index < pieceCount));
  }
  t.deepEqual(allowedFastSet(peer, 3), [0, 1, 2]);
  t.deepEqual(allowedFastSet(peer, 0), []);
  for (const host of ["::1", "2001:db8::1", "", "host"]) t.deepEqual(allowedFastSet({ ...peer, host }, 1000), []);
});

test("FastGrant: each piece about twice; who asks for more of one loses them all", (t) => {
  const grant = new FastGrant([
    { index: 3, lengthBytes: 16_384 },
    { index: 5, lengthBytes: 16_384 },
  ]);
  const ask = (index: number): boolean => grant.take({ index, length: 16_384 });
  t.false(ask(4));
  // 2 × (16,384 + 16,384) ÷ 16,384
  t.deepEqual([ask(3), ask(3), ask(3), ask(3)], [true, true, true, true]);
  t.true(ask(5));
  t.false(ask(3));
  t.false(ask(5));
});

function blockAt({ index, begin, length }: BlockRange): Buffer {
  const start = index * PIECE + begin;
  return Buffer.concat([encodeBlockHeader({ index, begin, length }), FILE.content.subarray(start, start + length)]);
}

function rangeOf(payload: Buffer): BlockRange {
  return { index: payload.readUInt32BE(0), begin: payload.readUInt32BE(4), length: payload.readUInt32BE(8) };
}

test("we ask a peer that chokes us for what it allows, and for nothing else; the rest comes when it unchokes", async (t) => {
  await using folder = await temporaryFolder();
  const allowed = [4, 20, 7];
  const refused = 7;
  let chokes = true;
  const early: number[] = [];
  let unchoke = (): void => undefined;
  const unchoking = new Promise<Buffer>((resolve) => {
    unchoke = () => {
      chokes = false;
      resolve(encodeFlag(MESSAGE.unchoke));
    };
  });
  await using peer = await startScriptedPeer({
    reserved: FAST,
    greeting: Buffer.concat([
      encodeFlag(MESSAGE.haveAll),
      encodeIndex(MESSAGE.allowedFast, 0xffffffff),
      ...allowed.map((index) => encodeIndex(MESSAGE.allowedFast, index)),
    ]),
    answer: ({ id, payload }) => {
      if (id === MESSAGE.interested) return unchoking;
      if (id !== MESSAGE.request) return undefined;
      const range = rangeOf(payload);
      if (chokes) early.push(range.index);
      return chokes && range.index === refused ? encodeRanges(MESSAGE.reject, [range]) : blockAt(range);
    },
  });
  await using engine = await startEngine("peer");
  const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
  torrent.addPeers([peer.address]);
  torrent.download(true);
  await until(() => torrent.has(4) && torrent.has(20) && early.includes(refused), 20_000);
  t.deepEqual([...new Set(early)].sort(), [...allowed].sort());
  t.true(early.filter((index) => index === refused).length <= PIECE / 16_384, "what it refuses is not asked for again");
  t.is(torrent.stats.piecesHave, 2);
  unchoke();
  await until(() => torrent.complete, 20_000);
  t.true((await contentOf(torrent)).equals(FILE.content));
  t.deepEqual(engine.banned, []);
});

/** A standard client that has nothing, and says what the test wants. */
async function newcomer(port: number, infoHash: InfoHash, words: Buffer = Buffer.alloc(0)) {
  const socket = net.connect({ host: "127.0.0.1", port });
  await once(socket, "connect");
  socket.on("error", () => undefined);
  const handshake = encodeHandshake({ infoHash, peerId: newPeerId() });
  socket.write(Buffer.concat([handshake, encodeFlag(MESSAGE.haveNone), words]));
  const heard: { id: number; payload: Buffer }[] = [];
  let seen = Buffer.alloc(0);
  let greeted = false;
  socket.on("data", (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    if (!greeted && seen.length >= HANDSHAKE_BYTES) {
      greeted = true;
      seen = seen.subarray(HANDSHAKE_BYTES);
    }
    while (greeted && seen.length >= 4 && seen.length >= 4 + seen.readUInt32BE(0)) {
      const bytes = seen.subarray(4, 4 + seen.readUInt32BE(0));
      seen = seen.subarray(4 + bytes.length);
      if (bytes.length > 0) heard.push({ id: bytes[0], payload: Buffer.from(bytes.subarray(1)) });
    }
  });
  const count = (id: number): number => heard.filter((message) => message.id === id).length;
  const ask = (range: BlockRange): void => void socket.write(encodeRanges(MESSAGE.request, [range]));
  return { heard, count, ask, [Symbol.dispose]: () => void socket.destroy() };
}

test("we serve a choked newcomer the ten pieces that we allow it, no others, and not without end", async (t) => {
  await using folder = await temporaryFolder();
  await using engine = await startEngine("peer");
  const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
  await feed(torrent, FILE.content);
  const { infoHash } = torrent;
  // it never says that it is interested, and so is never unchoked
  using peer = await newcomer(engine.address.port, infoHash);
  await until(() => peer.count(MESSAGE.allowedFast) === 10, 20_000);
  const allowed = peer.heard.filter(({ id }) => id === MESSAGE.allowedFast).map(({ payload }) => payload.readUInt32BE(0));
  t.deepEqual(allowed, allowedFastSet({ host: "127.0.0.1", infoHash }, FILE.geometry.pieceCount));
  const other = Array.from({ length: 21 }, (_, index) => index).find((index) => !allowed.includes(index)) ?? -1;
  peer.ask({ index: other, begin: 0, length: 16_384 });
  await until(() => peer.count(MESSAGE.reject) === 1, 20_000);
  for (const index of allowed.filter((index) => index < 20).slice(0, 3))
    for (let begin = 0; begin < PIECE; begin += 16_384) peer.ask({ index, begin, length: 16_384 });
  await until(() => peer.count(MESSAGE.piece) === 12, 20_000);
  for (const { payload } of peer.heard.filter(({ id }) => id === MESSAGE.piece)) {
    const start = payload.readUInt32BE(0) * PIECE + payload.readUInt32BE(4);
    t.true(payload.subarray(8).equals(FILE.content.subarray(start, start + 16_384)));
  }
  // twice (64 KiB and a block) of the first one: 4 of its 10 blocks are used up
  const [index] = allowed.filter((each) => each < 20);
  for (let turn = 0; turn < 8; turn++) peer.ask({ index, begin: 0, length: 16_384 });
  await until(() => peer.count(MESSAGE.reject) === 3 && peer.count(MESSAGE.piece) === 18, 20_000);
  peer.ask({ index: allowed[1], begin: 0, length: 16_384 });
  await until(() => peer.count(MESSAGE.reject) === 4, 20_000);
  t.is(peer.count(MESSAGE.unchoke), 0);
});

test("an engine that is choked has what it is allowed within the same round: two engines, and a crowd in all places", async (t) => {
  await using folder = await temporaryFolder();
  const small = standardTorrent({ seed: 72, lengthBytes: 5 * PIECE, pieceLengthBytes: PIECE });
  await using seed = await startEngine("peer");
  await using leech = await startEngine("peer", { peerId: newPeerId() });
  const from = await addStandard(seed, small, { folder: `${folder.path}/a`, version: 1 });
  await feed(from, small.content);
  const interested = encodeFlag(MESSAGE.interested);
  const crowd = await Promise.all(Array.from({ length: 40 }, () => newcomer(seed.address.port, from.infoHash, interested)));
  t.teardown(() => crowd.forEach((peer) => void peer[Symbol.dispose]()));
  await until(() => crowd.filter((peer) => peer.count(MESSAGE.unchoke) > 0).length >= 8, 20_000);
  const to = await addStandard(leech, small, { folder: `${folder.path}/b`, version: 1 });
  to.addPeers([seed.address]);
  to.download(true);
  // without, 31 of 33 times it waits for another round, 10 s later
  await until(() => to.complete, 9_000);
  t.true((await contentOf(to)).equals(small.content));
});
