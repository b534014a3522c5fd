/**
 * One engine as a process: `engine-peer.ts seed TORRENT DIRECTORY CONTENT` or `leech TORRENT DIRECTORY HOST:PORT`.
 * A seed takes CONTENT into its store first.
 * Prints JSON lines: ready with the port; for a leech, done with seconds, CPU seconds and peak memory.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { openEngine } from "../peer/engine/engine.ts";
import { parseHostPort } from "../system/addresses.ts";
import { silentLogger } from "../system/logger.ts";
import { decodeDict, dictDict, encode } from "../torrents/bencode.ts";
import { parseInfoV1 } from "../torrents/final-torrents.ts";
import { makePeerId } from "../torrents/peer-id.ts";

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
if (mode === "seed") await takeIn(source);
console.log(JSON.stringify({ ready: mode, port: engine.address.port }));
if (mode === "leech") {
  const startedMs = performance.now();
  const { user, system } = process.cpuUsage();
  torrent.download(true);
  torrent.addPeers([parseHostPort(source)]);
  if (!torrent.complete) await once(torrent, "complete");
  const cpu = process.cpuUsage();
  const cpuSeconds = (cpu.user + cpu.system - user - system) / 1e6;
  console.log(
    JSON.stringify({
      done: true,
      seconds: (performance.now() - startedMs) / 1000,
      cpuSeconds,
      peakBytes: process.resourceUsage().maxRSS * 1024,
    }),
  );
  await engine[Symbol.asyncDispose]();
}

async function takeIn(path: string): Promise<void> {
  await using file = await open(path);
  const signal = AbortSignal.timeout(120_000);
  for (let claim = torrent.claimMissing(1); claim !== undefined; claim = torrent.claimMissing(1)) {
    const piece = await torrent.acquire(claim.first, { signal });
    await file.read(piece.bytes, 0, piece.bytes.length, claim.first * geometry.pieceLengthBytes);
    await torrent.deliver(piece, "origin");
  }
}
