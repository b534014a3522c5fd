/** Peers that know each other's addresses dial each other: one connection stays, and nobody dials on. */
import { once } from "node:events";
import net from "node:net";
import test from "ava";
import { encodeHandshake, HANDSHAKE_BYTES, parseHandshake } from "../../../peer/engine/wire/handshake.ts";
import type { PeerId } from "../../../torrents/ids.ts";
import { addTorrent, completed, feed, liveFile, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { seededBytes } from "../../support/scripted-origin.ts";

const LENGTH = 700_000;
const STRANGER = Buffer.from("-XX0100-0123456789ab").toString("hex") as PeerId;

test("who dials a second time hears who it is before the end: it need not try another way", async (t) => {
  await using folder = await temporaryFolder();
  await using engine = await startEngine("peer");
  const torrent = await addTorrent(engine, liveFile(seededBytes(71, LENGTH)), folder.path);
  const ours = encodeHandshake({ infoHash: torrent.infoHash, peerId: STRANGER });
  const first = net.connect(engine.address.port, "127.0.0.1", () => first.write(ours));
  await once(first, "data", { signal: AbortSignal.timeout(10_000) });
  const second = net.connect(engine.address.port, "127.0.0.1", () => second.write(ours));
  const answer: Buffer[] = [];
  second.on("data", (bytes: Buffer) => answer.push(bytes));
  await once(second, "close", { signal: AbortSignal.timeout(10_000) });
  const bytes = Buffer.concat(answer);
  t.is(bytes.length, HANDSHAKE_BYTES);
  t.is(parseHandshake(bytes)?.peerId, engine.peerId);
  t.is(torrent.stats.connections, 1);
  first.destroy();
});

test("two that dial each other at once keep one connection, and dial no more", async (t) => {
  await using folder = await temporaryFolder();
  await using seeder = await startEngine("seeder", { upload: 400_000 });
  const engines = [await startEngine("peer"), await startEngine("peer")];
  await using _stack = new AsyncDisposableStack();
  for (const engine of engines) _stack.use(engine);
  const file = liveFile(seededBytes(72, LENGTH));
  const source = await addTorrent(seeder, file, folder.path, true);
  await feed(source, file.content);
  const torrents = await Promise.all(engines.map((engine) => addTorrent(engine, file, folder.path)));
  let dialled = 0;
  const doors = await Promise.all(engines.map((engine) => countingDoor(engine.address.port, () => dialled++)));
  for (const door of doors) _stack.defer(() => void door.server.close());
  for (const [at, torrent] of torrents.entries()) {
    torrent.download(true);
    torrent.addPeers([{ host: "127.0.0.1", port: doors[1 - at].port }, seeder.address]);
  }
  await Promise.all(torrents.map((torrent) => completed(torrent)));
  // each way once, and each itself once: PEX tells of the doors too
  t.true(dialled <= 4, `${dialled}`);
  for (const torrent of torrents) t.is(torrent.stats.connections, 2);
});

/** Counts who comes, and leads them on to `port`. */
async function countingDoor(port: number, onConnection: () => void): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer((socket) => {
    onConnection();
    const inner = net.connect(port, "127.0.0.1");
    socket.pipe(inner).pipe(socket);
    for (const [one, other] of [
      [socket, inner],
      [inner, socket],
    ]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  return { server, port: (server.address() as net.AddressInfo).port };
}
