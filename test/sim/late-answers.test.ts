/** A peer that answers late: what it owed was asked of another meanwhile. */
import { generateKeyPairSync } from "node:crypto";
import test from "ava";
import type { Connection } from "../../peer/engine/connection.ts";
import { PeerLink } from "../../peer/engine/peer-link.ts";
import type { SwarmTorrent } from "../../peer/engine/swarm-torrent.ts";
import { TorrentIdentity } from "../../peer/engine/torrent-identity.ts";
import { MESSAGE } from "../../peer/engine/wire/messages.ts";
import { BLOCK_BYTES, geometryOf } from "../../torrents/geometry.ts";
import type { PeerId } from "../../torrents/ids.ts";
import { encodeLiveInfo } from "../../torrents/live-info.ts";
import { assertOwed } from "./owed-blocks.ts";
import { VirtualTime } from "./virtual-time.ts";
import { virtualTorrent } from "./virtual-torrent.ts";

const KEY_BYTES = 32;
const PIECE_BYTES = 2 * BLOCK_BYTES;
const NOTHING = Buffer.alloc(0);

test("a block that begins after its request was dropped, and ends after it was made anew, is asked for again", (t) => {
  const time = new VirtualTime();
  const torrent = leech(time);
  const [late, other] = [1, 2].map((number) => addPeer(torrent, { time, number }));
  late.onMessage(MESSAGE.unchoke, NOTHING);
  torrent.download(true);
  const [{ begin, length }] = late.requests;
  const range = { index: 0, begin, length };
  late.onMessage(MESSAGE.choke, NOTHING);
  other.onMessage(MESSAGE.unchoke, NOTHING);
  late.onMessage(MESSAGE.unchoke, NOTHING);
  t.deepEqual([late.requests.length, other.requests.length > 0], [0, true], "the other was asked for all of it");
  t.is(torrent.links.onBlockBegin(late, range), undefined);
  torrent.links.remove(other);
  t.like(late.requests[0], { begin, length }, "nobody but the late one is left");
  torrent.links.onBlockEnd(late, range);
  assertOwed(torrent);
  t.true(
    late.requests.some((open) => open.begin === begin),
    "its bytes went nowhere",
  );
});

/** Of one piece, whose hash is known. */
function leech(time: VirtualTime): SwarmTorrent {
  const geometry = geometryOf({ lengthBytes: PIECE_BYTES, pieceLengthBytes: PIECE_BYTES });
  const { publicKey } = generateKeyPairSync("ed25519");
  const key = publicKey.export({ format: "der", type: "spki" }).subarray(-KEY_BYTES);
  const liveInfo = encodeLiveInfo({ name: "file", ...geometry, key, task: Buffer.alloc(KEY_BYTES, 7) });
  const torrent = virtualTorrent({
    time,
    geometry,
    identity: new TorrentIdentity({ name: "file", liveInfo }),
    role: "peer",
    random: () => 0,
  });
  torrent.state.truth.addGroup({ records: [{ index: 0, root: Buffer.alloc(KEY_BYTES, 1) }], signature: Buffer.alloc(64) });
  return torrent;
}

/** A standard client without BEP 6 that has everything, and to which all that we send is nothing. */
function addPeer(torrent: SwarmTorrent, { time, number }: { time: VirtualTime; number: number }): PeerLink {
  const connection = { closed: false, host: "peer", port: number, bufferedBytes: 0, send: () => undefined } as unknown as Connection;
  const link = new PeerLink({
    connection,
    peerId: Buffer.from(`-XX0001-${String(number).padStart(12, "0")}`).toString("hex") as PeerId,
    infoHash: torrent.infoHash,
    fast: false,
    pieceCount: torrent.geometry.pieceCount,
    events: torrent.links,
    nowMs: () => time.nowMs,
  });
  torrent.links.add(link);
  link.onMessage(MESSAGE.bitfield, Buffer.from([0x80]));
  return link;
}
