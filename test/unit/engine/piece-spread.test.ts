import { randomBytes } from "node:crypto";
import net from "node:net";
import test from "ava";
import { encodeHandshake, HANDSHAKE_BYTES } from "../../../peer/engine/wire/handshake.ts";
import { encodeBitfield, MESSAGE } from "../../../peer/engine/wire/messages.ts";
import { makePeerId } from "../../../torrents/peer-id.ts";
import { feed, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { until } from "../../support/processes.ts";
import { addStandard, standardTorrent } from "../../support/standard-torrent.ts";

const FILE = standardTorrent({ seed: 81, lengthBytes: 700_000, pieceLengthBytes: 64 * 1024 });
const PIECES = FILE.geometry.pieceCount;
const ALL = Buffer.from([0xff, 0xe0]);

for (const has of ["nothing", "everything"])
  test(`PieceSpread: a host of ours that has ${has} hears of each piece that becomes ours, once`, async (t) => {
    await using folder = await temporaryFolder();
    await using engine = await startEngine("peer");
    const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
    const heard: number[] = [];
    const socket = net.connect(engine.address.port, "127.0.0.1");
    t.teardown(() => socket.destroy());
    let seen = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      heard.splice(0, heard.length, ...havesIn(seen.subarray(HANDSHAKE_BYTES)));
    });
    socket.write(encodeHandshake({ infoHash: torrent.infoHash, peerId: makePeerId("peer", randomBytes(20)) }));
    if (has === "everything") socket.write(encodeBitfield(ALL));
    await until(() => torrent.stats.connections === 1 && torrent.stats.seeds === (has === "everything" ? 1 : 0));
    await feed(torrent, FILE.content);
    await until(() => heard.length >= PIECES);
    t.deepEqual(
      heard.toSorted((a, b) => a - b),
      Array.from({ length: PIECES }, (_, index) => index),
    );
  });

/** The pieces named by the HAVEs among these messages. */
function havesIn(bytes: Buffer): number[] {
  const pieces: number[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += 4 + bytes.readUInt32BE(at))
    if (bytes[at + 4] === MESSAGE.have && at + 9 <= bytes.length) pieces.push(bytes.readUInt32BE(at + 5));
  return pieces;
}
