/** A peer's stream after the handshake, cut anywhere, through the parser and the link that gives messages their meaning. Decides. */
import type { Connection } from "../../../peer/engine/connection.ts";
import { type LinkEvents, PeerLink } from "../../../peer/engine/peer-link.ts";
import { encodeExtendedHandshake } from "../../../peer/engine/wire/extended-handshake.ts";
import { encodeHashMessage } from "../../../peer/engine/wire/hash-messages.ts";
import * as messages from "../../../peer/engine/wire/messages.ts";
import { WireParser } from "../../../peer/engine/wire/wire-parser.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { below, type Random, randomBytesOf } from "../random.ts";
import type { FuzzTarget } from "../target.ts";

const PIECES = 21;
const { MESSAGE } = messages;
const hello = { metadataBytes: 1000, port: 6881, live: true, blockBytes: 131072, requestQueue: 500, version: "x" };
const range = { index: 1, begin: 16384, length: 16384 };

const nothing = (): undefined => undefined;
const EVENTS: LinkEvents = {
  onBitfield: nothing,
  onHave: nothing,
  onDontHave: nothing,
  onChoked: nothing,
  onUnchoked: nothing,
  onAllowedFast: nothing,
  onInterest: nothing,
  onRequest: nothing,
  onCancel: nothing,
  onReject: nothing,
  onBlockBegin: (_link, { length, index }) => (index % 2 === 0 ? undefined : Buffer.alloc(length)),
  onBlockEnd: (link, { length }) => link.countUnwanted(length),
  onExtendedHandshake: nothing,
  onHashMessage: nothing,
  onExtended: nothing,
};

export const wire: FuzzTarget = {
  name: "wire",
  samples: (random) => {
    const flags = Buffer.concat([MESSAGE.choke, MESSAGE.unchoke, MESSAGE.interested, MESSAGE.haveAll].map(messages.encodeFlag));
    const block = Buffer.concat([messages.encodeBlockHeader(range), randomBytesOf(random, range.length)]);
    const hashes = { root: randomBytesOf(random, 32), base: 0, index: 0, length: 2, proofs: 0 };
    return [
      Buffer.concat([flags, messages.KEEP_ALIVE, messages.encodeIndex(MESSAGE.have, 3)]),
      messages.encodeBitfield(Buffer.from([0xff, 0xf0, 0x08])),
      Buffer.concat([messages.encodeRanges(MESSAGE.request, [range, range]), messages.encodeRanges(MESSAGE.cancel, [range])]),
      block,
      Buffer.concat([messages.encodeFlag(MESSAGE.haveNone), block, messages.encodeIndex(MESSAGE.allowedFast, 2)]),
      messages.encodeExtended(0, encodeExtendedHandshake(hello)),
      Buffer.concat([messages.encodeExtended(5, Buffer.from([0, 0, 0, 1])), messages.encodeExtended(4, Buffer.from([1]))]),
      encodeHashMessage(MESSAGE.hashes, hashes, randomBytesOf(random, 64)),
    ];
  },
  run: (input, random) => {
    const connection = { incoming: true, host: "192.0.2.1", port: 1, closed: false, send: nothing } as unknown as Connection;
    const ids = { peerId: "aa".repeat(20) as PeerId, infoHash: "bb".repeat(20) as InfoHash };
    const link = new PeerLink({ connection, ...ids, fast: true, pieceCount: PIECES, events: EVENTS, nowMs: () => 0 });
    feedCut(new WireParser(link, { blockBytes: 131072, messageBytes: 65536 }), input, random);
    if (link.bitfield.count > PIECES || link.inFlightBytes !== 0) throw new Error("the link's figures are wrong");
  },
};

function feedCut(parser: WireParser, input: Buffer, random: Random): void {
  // from byte by byte to nearly whole, in not too many reads
  const most = 1 + below(random, 3) * 2000 + Math.ceil(input.length / 500);
  for (let at = 0; at < input.length; ) {
    const part = Buffer.from(input.subarray(at, at + 1 + below(random, most)));
    parser.feed(part, part.length);
    at += part.length;
  }
}
