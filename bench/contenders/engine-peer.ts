/**
 * One engine as a process: `engine-peer.ts seed TORRENT DIRECTORY CONTENT` or `leech TORRENT DIRECTORY HOST:PORT`.
 * A seed takes CONTENT into its store first.
 * Prints JSON lines: ready with the port; a leech waits for `go` on standard input, then prints its seconds.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import { openEngine } from "../../peer/engine/engine.ts";
import { parseHostPort } from "../../system/addresses.ts";
import { silentLogger } from "../../system/logger.ts";
import { decodeDict, dictDict, encode } from "../../torrents/bencode.ts";
import { parseInfoV1 } from "../../torrents/final-torrents.ts";
import { makePeerId } from "../../torrents/peer-id.ts";
import { fillFrom } from "./fill-from.ts";

const [mode, torrentPath, directory, source] = process.argv.slice(2);
const info = dictDict(decodeDict(await readFile(torrentPath)), "info");
if (info === undefined) throw new Error(`${torrentPath} has no info`);
const infoV1 = encode(info);
const { name, geometry } = parseInfoV1(infoV1);
const engine = await openEngine({
  listen: { host: "127.0.0.1", port: 0 },
  role: "peer",
  peerId: makePeerId("peer", randomBytes(20)),
  uploadBytesPerSecond: 0,
  downloadBytesPerSecond: 0,
  logger: silentLogger,
});
const torrent = await engine.add({ directory, name, geometry, infoV1 });
if (mode === "seed") await fillFrom(torrent, source);
// these processes are killed: without this the cache that the launchers use would never be written
flushCompileCache();
console.log(JSON.stringify({ ready: mode, port: engine.address.port }));
if (mode === "leech") {
  await once(process.stdin, "data");
  const startedMs = performance.now();
  torrent.download(true);
  torrent.addPeers([parseHostPort(source)]);
  if (!torrent.complete) await once(torrent, "complete");
  console.log(JSON.stringify({ done: true, seconds: (performance.now() - startedMs) / 1000 }));
}
