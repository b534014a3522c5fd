/** The engine as a whole: peers in one process, real sockets on loopback, a torrent that is still growing. */

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, truncate, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import test from "ava";
import { encodeHandshake } from "../../../peer/engine/wire/handshake.ts";
import { encodeBlockHeader, encodeExtended, encodeIndex, MESSAGE } from "../../../peer/engine/wire/messages.ts";
import type { SkimmerError } from "../../../system/errors.ts";
import { infoHashV1 } from "../../../torrents/final-torrents.ts";
import { geometryOf } from "../../../torrents/geometry.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { encodeLiveInfo } from "../../../torrents/live-info.ts";
import { addTorrent, completed, contentOf, feed, liveFile, PIECE_BYTES, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { seededBytes } from "../../support/scripted-origin.ts";

const LENGTH = 8 * PIECE_BYTES + 1234;

test("a peer gets pieces while the seeder still fetches, then the final torrents", async (t) => {
  await using folder = await temporaryFolder();
  await using seeder = await startEngine("seeder");
  await using peer = await startEngine("peer");
  const file = liveFile(seededBytes(1, LENGTH));
  const source = await addTorrent(seeder, file, folder.path, true);
  const target = await addTorrent(peer, file, folder.path);
  target.download(true);
  target.addPeers([seeder.address]);
  await feed(source, file.content, 2);
  await once(target, "piece", { signal: AbortSignal.timeout(10_000) });
  t.false(source.complete);
  const final = once(target, "final", { signal: AbortSignal.timeout(20_000) });
  await feed(source, file.content);
  await completed(target);
  await final;
  t.true(file.content.equals(await contentOf(target)));
  t.is(target.infoHashes.v1, source.infoHashes.v1);
  t.is(target.infoHashes.v1, infoHashV1(target.infoV1 as Buffer));
  t.deepEqual(target.stats.from, { origin: 0, seeder: LENGTH, peers: 0, cache: 0 });
});

test("setSeedersOnly(): nothing is taken from other peers, though they are connected and have it all", async (t) => {
  await using folder = await temporaryFolder();
  await using seeder = await startEngine("seeder", { upload: 3_000_000 });
  await using other = await startEngine("peer");
  await using peer = await startEngine("peer");
  const file = liveFile(seededBytes(11, LENGTH));
  const source = await addTorrent(seeder, file, folder.path, true);
  await feed(source, file.content);
  const helper = await addTorrent(other, file, folder.path);
  helper.download(true);
  helper.addPeers([seeder.address]);
  await completed(helper);
  const target = await addTorrent(peer, file, folder.path);
  target.setSeedersOnly(true);
  target.download(true);
  target.addPeers([other.address, seeder.address]);
  await completed(target);
  t.deepEqual(target.stats.from, { origin: 0, seeder: LENGTH, peers: 0, cache: 0 });
  t.is(target.stats.connections, 2);
});

test("an empty and a one-byte file are torrents too", async (t) => {
  for (const length of [0, 1]) {
    await using folder = await temporaryFolder();
    await using seeder = await startEngine("seeder");
    await using peer = await startEngine("peer");
    const file = liveFile(seededBytes(2, length));
    const source = await addTorrent(seeder, file, folder.path, true);
    const target = await addTorrent(peer, file, folder.path);
    await feed(source, file.content);
    target.download(true);
    target.addPeers([seeder.address]);
    await completed(target);
    t.true(target.complete);
    t.true(file.content.equals(await contentOf(target)));
  }
});

test("what the journal names is there after a restart; a cut data file is not trusted", async (t) => {
  await using folder = await temporaryFolder();
  const file = liveFile(seededBytes(3, LENGTH));
  let directory = "";
  {
    await using first = await startEngine("seeder");
    const torrent = await addTorrent(first, file, folder.path, true);
    directory = join(folder.path, first.peerId);
    await feed(torrent, file.content, 3);
    while (torrent.stats.piecesHave < 3) await once(torrent, "piece");
  }
  const spec = { directory, name: "file.bin", geometry: file.geometry, liveInfo: file.liveInfo, signer: file.key };
  {
    await using second = await startEngine("seeder");
    const torrent = await second.add(spec);
    t.is(torrent.stats.piecesHave, 3);
    t.deepEqual(torrent.stats.from, { origin: 0, seeder: 0, peers: 0, cache: 3 * PIECE_BYTES });
    t.true(file.content.subarray(2 * PIECE_BYTES, 3 * PIECE_BYTES).equals(await torrent.read(2)));
  }
  await truncate(join(directory, "data"), PIECE_BYTES);
  await using third = await startEngine("seeder");
  t.is((await third.add(spec)).stats.piecesHave, 0);
});

test("bytes from the origin without a record stay to ourselves until the record comes", async (t) => {
  await using folder = await temporaryFolder();
  await using seeder = await startEngine("seeder");
  await using peer = await startEngine("peer");
  const file = liveFile(seededBytes(4, LENGTH));
  const target = await addTorrent(peer, file, folder.path);
  const wrong = Buffer.from(file.content);
  wrong[PIECE_BYTES + 5] ^= 1;
  t.deepEqual(await feed(target, wrong, 2), ["unverified", "unverified"]);
  t.is(target.stats.piecesHave, 2);
  const source = await addTorrent(seeder, file, folder.path, true);
  await feed(source, file.content);
  target.download(true);
  target.addPeers([seeder.address]);
  await completed(target);
  t.true(file.content.equals(await contentOf(target)));
});

test("fetchInfo() gets the info dict behind each hash from a peer that has it", async (t) => {
  await using folder = await temporaryFolder();
  await using seeder = await startEngine("seeder");
  await using peer = await startEngine("peer");
  const file = liveFile(seededBytes(8, LENGTH));
  const source = await addTorrent(seeder, file, folder.path, true);
  const final = once(source, "final");
  await feed(source, file.content);
  await final;
  const signal = AbortSignal.timeout(10_000);
  const nobody = { host: "127.0.0.1", port: 1 };
  for (const [infoHash, info] of [
    [source.infoHashes.v1, source.infoV1],
    [source.infoHashes.v2, source.infoV2],
    [source.infoHashes.live, source.liveInfo],
  ] as const) {
    t.deepEqual(await peer.fetchInfo(infoHash as InfoHash, [nobody, seeder.address], { signal }), info);
  }
  await t.throwsAsync(peer.fetchInfo("00".repeat(20) as InfoHash, [seeder.address], { signal }), { message: /no peer gave/ });
});

test("a torrent that the disk has no room for is refused before anything is written", async (t) => {
  await using folder = await temporaryFolder();
  await using peer = await startEngine("peer");
  const geometry = geometryOf({ lengthBytes: 4e12, pieceLengthBytes: 16 * 1024 * 1024 });
  const liveInfo = encodeLiveInfo({ ...geometry, name: "huge", key: Buffer.alloc(32), task: Buffer.alloc(32) });
  const directory = join(folder.path, "huge");
  const error = await t.throwsAsync(peer.add({ directory, name: "huge", geometry, liveInfo }));
  t.is((error as SkimmerError).code, "disk_full");
  t.deepEqual(await readdir(directory).catch(() => []), []);
});

const rootTest = process.getuid?.() === 0 && process.platform === "linux" ? test : test.skip;

rootTest("a disk that fills up in the middle stops that torrent with a clear error", async (t) => {
  await using folder = await temporaryFolder();
  const disk = join(folder.path, "disk");
  await mkdir(disk);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", disk]).status !== 0)
    return t.pass("this machine does not let us mount");
  try {
    await using seeder = await startEngine("seeder");
    const file = liveFile(seededBytes(9, LENGTH));
    const torrent = await addTorrent(seeder, file, disk, true);
    await feed(torrent, file.content, 2);
    const failed = once(torrent, "failed");
    await writeFile(join(disk, "filler"), Buffer.alloc(32 * 1024 * 1024)).catch(() => undefined);
    const error = await t.throwsAsync(feed(torrent, file.content));
    t.is((error as SkimmerError).code, "disk_full");
    await failed;
  } finally {
    spawnSync("umount", ["-l", disk]);
  }
});

test("limits hold: a download of 2 MiB at 1 MiB/s takes about two seconds", async (t) => {
  await using folder = await temporaryFolder();
  await using seeder = await startEngine("seeder");
  await using peer = await startEngine("peer", { download: 1024 * 1024 });
  const file = liveFile(seededBytes(6, 2 * 1024 * 1024));
  const source = await addTorrent(seeder, file, folder.path, true);
  await feed(source, file.content);
  const target = await addTorrent(peer, file, folder.path);
  const startedMs = performance.now();
  target.download(true);
  target.addPeers([seeder.address]);
  await completed(target);
  // the last requests leave up to one block and 0.2 s of burst early
  t.true(performance.now() - startedMs > 1500, `took ${performance.now() - startedMs} ms`);
});

test("hostile bytes end that connection and nothing else", async (t) => {
  await using folder = await temporaryFolder();
  await using seeder = await startEngine("seeder");
  await using peer = await startEngine("peer");
  const file = liveFile(seededBytes(7, LENGTH));
  const source = await addTorrent(seeder, file, folder.path, true);
  await feed(source, file.content);
  const hello = encodeHandshake({ infoHash: source.infoHash, peerId: "ab".repeat(20) as PeerId });
  const attacks = [
    // so long that it cannot be an encrypted handshake either
    Buffer.from("GET / HTTP/1.1\r\n\r\n".padEnd(800)),
    encodeHandshake({ infoHash: "00".repeat(20) as never, peerId: "ab".repeat(20) as PeerId }),
    Buffer.concat([hello, Buffer.from([0xff, 0xff, 0xff, 0xff, 20])]),
    Buffer.concat([hello, encodeBlockHeader({ index: 0, begin: 0, length: 2 ** 30 })]),
    Buffer.concat([hello, encodeIndex(MESSAGE.have, 99999)]),
    Buffer.concat([hello, Buffer.from([0, 0, 0, 3, MESSAGE.bitfield, 1, 2])]),
    Buffer.concat([hello, Buffer.from([0, 0, 0, 8, MESSAGE.extended, 0, ...Buffer.from("llllll")])]),
  ];
  for (const body of ["i1e", "le", "1:a", "d1:mi1ee"])
    attacks.push(Buffer.concat([hello, encodeExtended(0, Buffer.from(body)), Buffer.from([0xff, 0xff, 0xff, 0xff, 20])]));
  for (const [at, bytes] of attacks.entries()) {
    const socket = net.connect(seeder.address.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.resume();
    socket.write(bytes);
    await once(socket, "close", { signal: AbortSignal.timeout(5000) }).catch(() => t.fail(`attack ${at} was not cut off`));
  }
  const target = await addTorrent(peer, file, folder.path);
  target.download(true);
  target.addPeers([seeder.address]);
  await completed(target);
  t.true(file.content.equals(await contentOf(target)));
});
