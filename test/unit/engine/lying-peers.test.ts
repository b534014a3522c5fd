/** Peers that lie, refuse and stall, on real sockets: they are found out, and the download is right all the same. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import test from "ava";
import { openEngine } from "../../../peer/engine/engine.ts";
import type { BannedPeer } from "../../../peer/engine/peer-conduct.ts";
import type { Engine, Torrent } from "../../../peer/engine/types.ts";
import { silentLogger } from "../../../system/logger.ts";
import { pieceOffset } from "../../../torrents/geometry.ts";
import { makePeerId } from "../../../torrents/peer-id.ts";
import { addTorrent, completed, contentOf, feed, type LiveFile, liveFile, PIECE_BYTES, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { startLyingPeer } from "../../support/lying-peer.ts";
import { seededBytes } from "../../support/scripted-origin.ts";

const PIECES = 8;

interface Scene extends AsyncDisposable {
  readonly file: LiveFile;
  readonly target: Torrent;
  readonly seeder: Engine;
}

/** A limited honest seeder that has everything, and a torrent that wants it. */
async function scene(peer: Engine, options: { pieces?: number; upload?: number } = {}): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const seeder = stack.use(await startEngine("seeder", { upload: options.upload ?? 2_000_000 }));
  stack.use(peer);
  const file = liveFile(seededBytes(5, (options.pieces ?? PIECES) * PIECE_BYTES + 1234));
  const source = await addTorrent(seeder, file, folder.path, true);
  await feed(source, file.content);
  const target = await addTorrent(peer, file, folder.path);
  return { file, target, seeder, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function nextBan(target: Torrent): Promise<BannedPeer> {
  const [who] = (await once(target, "banned", { signal: AbortSignal.timeout(20_000) })) as [BannedPeer];
  return who;
}

function right(content: Buffer, index: number, range: { begin: number; length: number }): Buffer {
  const at = pieceOffset({ lengthBytes: content.length, pieceLengthBytes: PIECE_BYTES, pieceCount: PIECES + 1 }, index) + range.begin;
  return content.subarray(at, at + range.length);
}

test("a peer that alone brings a wrong piece is banned at once, on the whole host", async (t) => {
  await using peer = await startEngine("peer");
  await using at = await scene(peer);
  await using liar = await startLyingPeer(PIECES + 1, ({ length }) => ({ block: Buffer.alloc(length) }));
  const banned = nextBan(at.target);
  at.target.download(true);
  at.target.addPeers([liar.address, at.seeder.address]);
  const who = await banned;
  t.like(who, { host: "127.0.0.1", port: liar.address.port, offence: "bad_block" });
  t.deepEqual(
    peer.banned.map(({ id }) => id),
    [who.id],
  );
  // a second wrong piece may be on its way: the offences are counted on
  t.deepEqual(
    at.target.banned.map(({ id }) => id),
    peer.banned.map(({ id }) => id),
  );
  await completed(at.target);
  t.true(at.file.content.equals(await contentOf(at.target)));
});

test("smart ban: who brought one wrong block of a piece is found out when the piece comes out right; the honest one stays", async (t) => {
  await using peer = await startEngine("peer");
  await using at = await scene(peer);
  const { content } = at.file;
  // one wrong block, then nothing more: the honest peer brings the rest of that piece
  await using liar = await startLyingPeer(PIECES + 1, (range, number) => {
    if (number > 0) return "silence";
    const block = Buffer.from(right(content, range.index, range));
    block[100] ^= 1;
    return { block };
  });
  const banned = nextBan(at.target);
  at.target.download(true);
  at.target.addPeers([liar.address, at.seeder.address]);
  const who = await banned;
  t.is(who.port, liar.address.port);
  t.is(who.offence, "bad_block");
  t.is(who.offences.suspect_piece, 1, "first it was one of two suspects");
  await completed(at.target);
  t.true(content.equals(await contentOf(at.target)));
  t.is(peer.banned.length, 1, "the seeder was a suspect too, and is not banned");
});

test("a peer that announces pieces and refuses to send them is left alone", async (t) => {
  await using peer = await startEngine("peer");
  await using at = await scene(peer, { pieces: 48, upload: 4_000_000 });
  await using liar = await startLyingPeer(49, () => "reject");
  const banned = nextBan(at.target);
  at.target.download(true);
  at.target.addPeers([liar.address, at.seeder.address]);
  const who = await banned;
  t.is(who.port, liar.address.port);
  t.is(who.offence, "refused");
  await completed(at.target);
  t.true(at.file.content.equals(await contentOf(at.target)));
});

test("a peer that owes blocks and sends nothing, while others do, is left alone for a while", async (t) => {
  // its clock runs 40 times as fast: eight seconds of silence pass in a fifth of one
  const clock = { nowMs: () => performance.now() * 40 };
  const common = { listen: { host: "127.0.0.1", port: 0 }, role: "peer", uploadBytesPerSecond: 0, downloadBytesPerSecond: 0 } as const;
  await using peer = await openEngine({ ...common, peerId: makePeerId("peer", randomBytes(20)), logger: silentLogger, clock });
  await using at = await scene(peer, { pieces: 24, upload: 1_500_000 });
  await using liar = await startLyingPeer(25, () => "silence");
  const banned = nextBan(at.target);
  at.target.download(true);
  at.target.addPeers([liar.address, at.seeder.address]);
  const who = await banned;
  t.is(who.port, liar.address.port);
  t.is(who.offence, "stalled");
  await completed(at.target);
  t.true(at.file.content.equals(await contentOf(at.target)));
  t.is(at.target.stats.bannedPeers, 1);
});
