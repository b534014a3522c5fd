/**
 * One webtorrent client as a process, WebRTC only: `webrtc-client.ts TORRENT DIRECTORY seed|leech TRACKER`. The tracker alone brings peers, and
 * no address is dialled over TCP. Prints JSON lines: ready when it announced, done when it has everything and how its peers are connected.
 */
import { once } from "node:events";
import WebTorrent, { type Wire } from "webtorrent";

const [torrentPath, directory, mode, tracker] = process.argv.slice(2);
const off = { dht: false, lsd: false, utp: false, utPex: false, natUpnp: false, natPmp: false, webSeeds: false };
const client = new WebTorrent({ ...off, torrentPort: { host: "127.0.0.1", port: 0 }, tracker: { rtcConfig: { iceServers: [] } } });
const torrent = client.add(torrentPath, { path: directory, announce: [tracker] });
const transports = new Set<string>();
torrent.on("wire", ({ type }: Wire) => transports.add(type));
torrent.on("infoHash", () => {
  torrent.announce = [tracker];
});
const announced = once(torrent, "trackerAnnounce");
if (mode === "seed") await once(torrent, "done");
await announced;
console.log(JSON.stringify({ ready: mode }));
if (mode === "leech") {
  if (!torrent.done) await once(torrent, "done");
  console.log(JSON.stringify({ done: true, transports: [...transports] }));
}
