/**
 * A swarm store with PEERS peers in SWARMS swarms, as a process of its own: what a peer costs. `node --expose-gc memory.ts`; one line of JSON.
 */
import { createHash } from "node:crypto";
import type { InfoHash } from "../../torrents/ids.ts";
import { emptyAsk } from "../../tracker/swarm/ask.ts";
import { SwarmStore } from "../../tracker/swarm/swarm-store.ts";

const PEERS = 1_000_000;
const SWARMS = 10_000;

collect();
const before = process.memoryUsage().rss;
const store = new SwarmStore({ expireMs: () => 1e9, seed: 1 });
const keys = Array.from({ length: SWARMS }, (_, index) => {
  const infoHash = createHash("sha1").update(`swarm ${index}`).digest("hex") as InfoHash;
  store.join({ finals: [infoHash] });
  return Buffer.from(infoHash, "hex").toString("latin1");
});
const ask = emptyAsk();
ask.address.set([0xff, 0xff], 10);
ask.peerId.write("-UT3600-");
ask.left = 1;
ask.numwant = 0;
const startMs = performance.now();
for (let peer = 0; peer < PEERS; peer++) {
  ask.infoHash = keys[peer % SWARMS];
  new DataView(ask.address.buffer).setUint32(12, 0x0a000000 + peer);
  ask.peerId.writeUInt32BE(peer, 16);
  ask.port = 1024 + (peer % 60_000);
  store.announce(ask, startMs, Math.random);
}
const seconds = (performance.now() - startMs) / 1000;
collect();
const { complete, incomplete } = store.totals(startMs);
if (complete + incomplete !== PEERS) throw new Error(`${complete + incomplete} peers are there`);
process.stdout.write(`${JSON.stringify({ bytesPerPeer: (process.memoryUsage().rss - before) / PEERS, seconds })}\n`);

function collect(): void {
  for (let turn = 0; turn < 3; turn++) globalThis.gc?.();
}
