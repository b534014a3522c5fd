/** Datagrams of UDP trackers (BEP 15, 41), as client and as server. Decides. */
import { readReply, transactionOf } from "../../../peer/discovery/udp-words.ts";
import { kindOfDatagram, readUdpAnnounce, readUdpScrape, readUrlOption } from "../../../tracker/announce/udp-packets.ts";
import { emptyAsk } from "../../../tracker/swarm/ask.ts";
import { randomBytesOf } from "../random.ts";
import type { FuzzTarget } from "../target.ts";

export const udp: FuzzTarget = {
  name: "udp",
  samples: (random) => {
    const announce = Buffer.concat([randomBytesOf(random, 98), Buffer.from([2, 9]), Buffer.from("/announce"), Buffer.from([0])]);
    announce.writeUInt32BE(1, 8);
    announce.writeUInt32BE(2, 80);
    const scrape = randomBytesOf(random, 56);
    scrape.writeUInt32BE(2, 8);
    const [connected, announced] = [randomBytesOf(random, 16), randomBytesOf(random, 20 + 18)];
    connected.writeUInt32BE(0, 0);
    announced.writeUInt32BE(1, 0);
    return [
      Buffer.from("0000041727101980000000000badcafe", "hex"),
      announce,
      scrape,
      connected,
      announced,
      Buffer.from("\0\0\0\x03wordswords"),
    ];
  },
  run: (input) => {
    if (transactionOf(input) !== undefined) {
      readReply(input, 4);
      readReply(input, 6);
    }
    const kind = kindOfDatagram(input);
    if (kind === "announce") {
      readUdpAnnounce(input, emptyAsk());
      readUrlOption(input);
    } else if (kind === "scrape") readUdpScrape(input);
  },
};
