/** Payloads of extension messages and of BEP 52's hash messages. Decides. */
import { MetadataDesk } from "../../../peer/engine/metadata-exchange.ts";
import { encodeExtendedHandshake, parseExtendedHandshake } from "../../../peer/engine/wire/extended-handshake.ts";
import { encodeHashMessage, parseHashMessage } from "../../../peer/engine/wire/hash-messages.ts";
import { MESSAGE } from "../../../peer/engine/wire/messages.ts";
import { encode } from "../../../torrents/bencode.ts";
import { encodeFinal, encodeRecords, encodeWant, parseLiveMessage } from "../../../torrents/live-messages.ts";
import { randomBytesOf } from "../random.ts";
import type { FuzzTarget } from "../target.ts";

const INFO = Buffer.alloc(40_000);

export const extensions: FuzzTarget = {
  name: "extensions",
  samples: (random) => {
    const records = [0, 1, 2].map((index) => ({ index, root: randomBytesOf(random, 32) }));
    const range = { root: randomBytesOf(random, 32), base: 4, index: 512, length: 512, proofs: 9 };
    return [
      encodeExtendedHandshake({
        metadataBytes: 9,
        port: 1,
        live: true,
        blockBytes: 16384,
        requestQueue: 1,
        version: "x",
        needsNothing: true,
      }),
      encode({ msg_type: 0, piece: 1 }),
      encode({ msg_type: 2, piece: 0 }),
      encodeWant({ first: 0, count: 9 }),
      encodeRecords([{ records, signature: randomBytesOf(random, 64) }]),
      encodeFinal({ infoV1: randomBytesOf(random, 90), infoV2: randomBytesOf(random, 90), signature: randomBytesOf(random, 64) }),
      encodeHashMessage(MESSAGE.hashRequest, range).subarray(5),
      encodeHashMessage(MESSAGE.hashes, range, randomBytesOf(random, 32 * 40)).subarray(5),
    ];
  },
  run: (input, random) => {
    const readers = [
      () => parseExtendedHandshake(input),
      () => new MetadataDesk<object>().answer({}, { payload: input, info: INFO }, 0),
      () => parseLiveMessage(input),
      () => parseHashMessage(MESSAGE.hashRequest, input),
      () => parseHashMessage(MESSAGE.hashes, input),
    ];
    readers[Math.floor(random() * readers.length)]();
  },
};
