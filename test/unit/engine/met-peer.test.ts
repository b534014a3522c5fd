/** Peers that come with a stream of their own: two engines over a pair of streams, as over WebRTC. */
import { once } from "node:events";
import { duplexPair } from "node:stream";
import test from "ava";
import type { Connection } from "../../../peer/engine/connection.ts";
import { newerStays } from "../../../peer/engine/contact.ts";
import type { MetPeer } from "../../../peer/engine/met-peer.ts";
import type { InfoHash } from "../../../torrents/ids.ts";
import { completed, contentOf, feed, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { until } from "../../support/processes.ts";
import { addStandard, standardTorrent } from "../../support/standard-torrent.ts";

const KIB = 1024;
const FILE = standardTorrent({ seed: 61, lengthBytes: 900 * KIB + 7, pieceLengthBytes: 64 * KIB });

/** Both ends of a channel in that swarm: the caller's, and of who was called. */
function met(infoHash: InfoHash): [MetPeer, MetPeer] {
  const [one, other] = duplexPair();
  const place = { host: "192.0.2.7", port: 4321, infoHash };
  return [
    { ...place, stream: one, incoming: false },
    { ...place, stream: other, incoming: true },
  ];
}

async function setUp() {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const [seed, leech] = [stack.use(await startEngine("peer")), stack.use(await startEngine("peer"))];
  const at = { folder: folder.path, version: 1 } as const;
  const whole = await addStandard(seed, FILE, at);
  await feed(whole, FILE.content);
  return { seed, leech, whole, addEmpty: () => addStandard(leech, FILE, at), [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("a torrent comes over such a stream; the peer has no port to dial, and its end is the peer's", async (t) => {
  await using place = await setUp();
  const empty = await place.addEmpty();
  empty.download(true);
  const [one, other] = met(empty.infoHash);
  place.leech.take(one);
  place.seed.take(other);
  await completed(empty);
  t.true((await contentOf(empty)).equals(FILE.content));
  t.like(empty.peers[0], { transport: "webrtc", host: "192.0.2.7", port: 0, peerId: place.seed.peerId });
  t.is(empty.stats.from.peers, FILE.content.length);
  const ended = once(one.stream, "close");
  await place.seed.remove(place.whole);
  await ended;
  await until(() => empty.stats.connections === 0);
});

test("a stream for a torrent that is not here is ended, and so is one whose handshake names another torrent", async (t) => {
  await using place = await setUp();
  const empty = await place.addEmpty();
  const [stranger] = met("00".repeat(20) as InfoHash);
  place.leech.take(stranger);
  t.true(stranger.stream.destroyed);
  const [one, other] = met(empty.infoHash);
  place.leech.take({ ...one, incoming: true });
  const wrong = Buffer.concat([Buffer.from("\x13BitTorrent protocol"), Buffer.alloc(8), Buffer.alloc(20, 7), Buffer.alloc(20, 8)]);
  other.stream.on("error", () => undefined);
  other.stream.write(wrong);
  await once(one.stream, "close");
  t.is(empty.stats.connections, 0);
});

test("metadata comes over such a stream; one that ended before is passed over", async (t) => {
  await using place = await setUp();
  const [one, other] = met(place.whole.infoHash);
  const [gone] = met(place.whole.infoHash);
  gone.stream.destroy();
  place.seed.take(other);
  const info = await place.leech.fetchInfo(place.whole.infoHash, [gone, one], { signal: AbortSignal.timeout(20_000) });
  t.true(info.equals(FILE.infoV1));
});

test("TCP takes the place of such a stream to the same peer", async (t) => {
  await using place = await setUp();
  const empty = await place.addEmpty();
  empty.setDownloadLimit(100 * KIB);
  empty.download(true);
  const [one, other] = met(empty.infoHash);
  place.leech.take(one);
  place.seed.take(other);
  await until(() => empty.peers[0]?.transport === "webrtc", 20_000);
  empty.addPeers([place.seed.address]);
  await until(() => empty.peers.length === 1 && empty.peers[0].transport === "tcp", 20_000);
  t.true(one.stream.destroyed);
});

test("newerStays(): TCP before WebRTC, else the one that the smaller id opened", (t) => {
  const of = (transport: "tcp" | "webrtc", incoming: boolean) => ({ transport, incoming }) as Connection;
  t.true(newerStays(of("webrtc", true), of("tcp", true), true));
  t.false(newerStays(of("tcp", true), of("webrtc", false), false));
  t.true(newerStays(of("tcp", false), of("tcp", true), true));
  t.false(newerStays(of("tcp", false), of("tcp", true), false));
  t.true(newerStays(of("webrtc", true), of("webrtc", false), false));
  t.false(newerStays(of("webrtc", true), of("webrtc", true), true));
});
