/**
 * One webtorrent client as a process, TCP only: `webtorrent-client.ts TORRENT DIRECTORY seed|leech [HOST:PORT …]`. Trackers of the
 * torrent are asked. Prints JSON lines: ready with its port, done when it has everything.
 */
import { once } from "node:events";
import WebTorrent from "webtorrent";

const [torrentPath, directory, mode, ...peers] = process.argv.slice(2);
const client = new WebTorrent({ dht: false, lsd: false, utp: false, natUpnp: false, natPmp: false });
const torrent = client.add(torrentPath, { path: directory });
await once(torrent, "infoHash");
for (const peer of peers) torrent.addPeer(peer);
if (mode === "seed") await once(torrent, "done");
console.log(JSON.stringify({ ready: mode, port: client.torrentPort }));
if (mode === "leech") {
  await once(torrent, "done");
  console.log(JSON.stringify({ done: true }));
}
