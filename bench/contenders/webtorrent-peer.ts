/**
 * One webtorrent client as a process: `webtorrent-peer.ts seed TORRENT DIRECTORY` or `leech TORRENT DIRECTORY HOST:PORT`.
 * Prints JSON lines: ready with the port; a leech waits for `go` on standard input, then prints its seconds.
 */
import { once } from "node:events";
import WebTorrent from "webtorrent";

const [mode, torrentPath, directory, peer] = process.argv.slice(2);
const client = new WebTorrent({ dht: false, lsd: false, utPex: false, utp: false, natUpnp: false, natPmp: false, tracker: false });
if (mode === "seed") {
  const torrent = client.add(torrentPath, { path: directory });
  await once(torrent, "done");
  console.log(JSON.stringify({ ready: mode, port: client.torrentPort }));
} else {
  console.log(JSON.stringify({ ready: mode, port: 0 }));
  await once(process.stdin, "data");
  const startedMs = performance.now();
  const torrent = client.add(torrentPath, { path: directory });
  await once(torrent, "infoHash");
  torrent.addPeer(peer);
  await once(torrent, "done");
  console.log(JSON.stringify({ done: true, seconds: (performance.now() - startedMs) / 1000 }));
}
