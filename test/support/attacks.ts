/**
 * What broken and hostile peers do to a peer port, by name. Each goes on until it is stopped.
 */
import { randomBytes } from "node:crypto";
import { PRIVATE_KEY_BYTES, publicKeyOf } from "../../peer/engine/mse/key-agreement.ts";
import { OUR_EXTENSION } from "../../peer/engine/wire/extended-handshake.ts";
import { encodeHandshake } from "../../peer/engine/wire/handshake.ts";
import { encodeHashMessage } from "../../peer/engine/wire/hash-messages.ts";
import {
  type BlockRange,
  encodeBlockHeader,
  encodeExtended,
  encodeFlag,
  encodeIndex,
  encodeRanges,
  MESSAGE,
} from "../../peer/engine/wire/messages.ts";
import { encode } from "../../torrents/bencode.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import { type Attack, greetedPeer, newPeerId, pause, peerIdOf, type RawPeer, rawPeer, repeated, type Target } from "./hostile-peer.ts";

const BLOCK = 16384;
/** Each connection is held so long if the target does not end it. */
const HOLD_MS = 1500;

/** Sends the bytes behind a handshake, then waits to be cut off. */
function says(bytes: () => Buffer): Attack {
  return repeated(async (target) => {
    using peer = await greetedPeer(target);
    await peer.write(bytes());
    await peer.ended(HOLD_MS);
  });
}

/** Sends the same run of messages over and over on few connections. */
function floods(bytes: () => Buffer, how: { reads: boolean; first?: Buffer }): Attack {
  return repeated(async (target, signal) => {
    using peer = await greetedPeer(target, how.reads);
    await peer.write(how.first ?? Buffer.alloc(0));
    const run = bytes();
    while (!peer.closed && !signal.aborted) {
      await peer.write(run);
      await pause(5);
    }
  }, 2);
}

function many(count: number, message: (at: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, at) => message(at)));
}

function ranges(count: number, range: (at: number) => BlockRange): Buffer {
  return encodeRanges(
    MESSAGE.request,
    Array.from({ length: count }, (_, at) => range(at)),
  );
}

const INTERESTED = encodeFlag(MESSAGE.interested);
const HELLO = encodeExtended(0, encode({ m: { ut_metadata: 1, ut_pex: 2, lt_donthave: 3, upload_only: 4 }, metadata_size: 1000 }));

/** Connections that say nothing at all, more than there is room for. */
const silentCrowd: Attack = async (target, signal) => {
  const peers: RawPeer[] = [];
  while (!signal.aborted) {
    if (peers.length < 1200) peers.push(...(await Promise.all(Array.from({ length: 50 }, () => rawPeer(target)))));
    await pause(20);
  }
  for (const peer of peers) peer[Symbol.dispose]();
};

async function reflectSelf(target: Target): Promise<void> {
  const peerId = await peerIdOf(target).catch(() => newPeerId());
  using peer = await rawPeer(target);
  await peer.write(encodeHandshake({ infoHash: target.infoHash, peerId }));
  await peer.ended(HOLD_MS);
}

export const ATTACKS: Readonly<Record<string, Attack>> = {
  "messages of 4 GiB": says(() => Buffer.from([0xff, 0xff, 0xff, 0xff, 20, 0])),
  "messages that never end": says(() => Buffer.concat([Buffer.from([0, 0, 0xff, 0xff, 20]), Buffer.alloc(60_000)])),
  "bitfields of the wrong length": says(() => Buffer.from([0, 0, 0, 3, MESSAGE.bitfield, 255, 255])),
  "blocks above the limit": says(() => encodeBlockHeader({ index: 0, begin: 0, length: 2 ** 24 })),
  "blocks that nobody asked for": floods(
    () => many(16, (at) => Buffer.concat([encodeBlockHeader({ index: at % 4, begin: 0, length: BLOCK }), randomBytes(BLOCK)])),
    { reads: true },
  ),
  "requests out of range": floods(() => ranges(200, (at) => ({ index: at * 77777, begin: 2 ** 31, length: 2 ** 31 + at })), {
    reads: true,
    first: INTERESTED,
  }),
  "the same request over and over": floods(() => ranges(200, () => ({ index: 0, begin: 0, length: BLOCK })), {
    reads: true,
    first: INTERESTED,
  }),
  "requests without reading": floods(() => ranges(64, (at) => ({ index: at % 64, begin: 0, length: BLOCK })), {
    reads: false,
    first: INTERESTED,
  }),
  "handshakes of garbage": repeated(async (target) => {
    using peer = await rawPeer(target);
    await peer.write(randomBytes(4000));
    await peer.ended(HOLD_MS);
  }, 8),
  "encrypted handshakes that lead nowhere": repeated(async (target) => {
    using peer = await rawPeer(target);
    await peer.write(Buffer.concat([publicKeyOf(randomBytes(PRIVATE_KEY_BYTES)), randomBytes(700)]));
    await peer.ended(HOLD_MS);
  }, 16),
  "wrong info hashes": repeated(async (target) => {
    using peer = await rawPeer(target);
    await peer.write(encodeHandshake({ infoHash: randomBytes(20).toString("hex") as InfoHash, peerId: newPeerId() }));
    await peer.ended(HOLD_MS);
  }, 8),
  "its own peer id": repeated(reflectSelf),
  "a crowd that says nothing": silentCrowd,
  "metadata of impossible length": says(() => encodeExtended(0, encode({ m: { ut_metadata: 1 }, metadata_size: 2 ** 40 }))),
  "metadata asked for without reading": floods(
    () => many(500, () => encodeExtended(OUR_EXTENSION.metadata, encode({ msg_type: 0, piece: 0 }))),
    {
      reads: false,
      first: HELLO,
    },
  ),
  "peer exchange floods": floods(
    () =>
      many(8, () =>
        encodeExtended(
          OUR_EXTENSION.pex,
          encode({ added: Buffer.concat([Buffer.from([127, 0, 0, 2]), randomBytes(2), randomBytes(6 * 2000)]) }),
        ),
      ),
    { reads: true, first: HELLO },
  ),
  "nested lists": says(() => encodeExtended(0, Buffer.from(`d1:m${"l".repeat(30_000)}${"e".repeat(30_000)}e`))),
  "dictionaries of many keys": floods(
    () => encodeExtended(0, encode({ m: Object.fromEntries(Array.from({ length: 4000 }, (_, at) => [`k${at}`, at])) })),
    {
      reads: true,
    },
  ),
  "hash requests without reading": floods(
    () => many(200, () => encodeHashMessage(MESSAGE.hashRequest, { root: randomBytes(32), base: 4, index: 0, length: 512, proofs: 8 })),
    { reads: false },
  ),
  "interest that changes all the time": floods(
    () => many(500, (at) => encodeFlag(at % 2 === 0 ? MESSAGE.interested : MESSAGE.notInterested)),
    { reads: true },
  ),
  "announcements over and over": floods(
    () => many(500, (at) => (at % 2 === 0 ? encodeFlag(MESSAGE.haveAll) : encodeIndex(MESSAGE.have, 0))),
    { reads: true },
  ),
  "pieces that come and go": floods(
    () =>
      many(500, (at) => (at % 2 === 0 ? encodeIndex(MESSAGE.have, 1) : encodeExtended(OUR_EXTENSION.dontHave, Buffer.from([0, 0, 0, 1])))),
    { reads: true, first: HELLO },
  ),
};
