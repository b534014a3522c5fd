/** Tracker words over HTTP, as client and as server, over WebSockets with what they pass on, and local service discovery. Decides. */
import { parseAnnounceAnswer } from "../../../peer/discovery/announce-query.ts";
import { encodeSearch, parseSearch } from "../../../peer/discovery/lsd-words.ts";
import { readWebMessage } from "../../../peer/discovery/web-words.ts";
import { readDescription } from "../../../peer/webrtc/session-description.ts";
import { encode } from "../../../torrents/bencode.ts";
import type { InfoHash } from "../../../torrents/ids.ts";
import { emptyHttpAnnounce, readHttpAnnounce, readHttpScrape } from "../../../tracker/announce/http-query.ts";
import { randomBytesOf } from "../random.ts";
import type { FuzzTarget } from "../target.ts";

const HASH = "%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A";
const ANNOUNCE = `/announce/key?info_hash=${HASH}&peer_id=-XX0000-123456789012&port=6881&left=5&compact=1&numwant=30&event=started`;

const SDP =
  "v=0\r\na=ice-ufrag:ab\r\na=candidate:1 1 UDP 2114977791 192.0.2.1 43777 typ host\r\na=candidate:2 1 UDP 1 x.local 1 typ host\r\n";

function webMessage(fields: object): string {
  return JSON.stringify({ action: "announce", info_hash: "\xab".repeat(20), ...fields });
}

export const tracker: FuzzTarget = {
  name: "tracker",
  samples: (random) => [
    encode({
      interval: 1800,
      "min interval": 60,
      complete: 3,
      incomplete: 4,
      peers: randomBytesOf(random, 60),
      peers6: randomBytesOf(random, 36),
    }),
    encode({
      interval: 1,
      peers: [
        { ip: "192.0.2.1", port: 6881, "peer id": "x" },
        { ip: "host.example", port: 1 },
      ],
    }),
    encode({ "failure reason": "no", "retry in": "never" }),
    encode({ "warning message": "careful", "tracker id": "t", peers: "" }),
    Buffer.from(ANNOUNCE),
    Buffer.from(`/scrape?info_hash=${HASH}&info_hash=${HASH}`),
    Buffer.from(webMessage({ interval: 120, complete: 1, incomplete: 2 })),
    Buffer.from(webMessage({ peer_id: "x".repeat(20), offer_id: "id", offer: { type: "offer", sdp: SDP } })),
    Buffer.from(SDP),
    encodeSearch({ group: "239.192.152.143", port: 6881, infoHashes: ["ab".repeat(20) as InfoHash], cookie: "c", isAnswer: false }),
  ],
  run: (input, random) => {
    const readers = [
      () => parseAnnounceAnswer(input),
      () => readHttpAnnounce(input, 0, input.length, emptyHttpAnnounce()),
      () => readHttpScrape(input, 0, input.length),
      () => parseSearch(input),
      () => readWebMessage(input.toString()),
      () => readDescription(input.toString()),
    ];
    readers[Math.floor(random() * readers.length)]();
  },
};
