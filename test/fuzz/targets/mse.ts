/** Encrypted handshakes on both sides, cut anywhere; the valid ones are made with the same random bytes as the side under test draws. Decides. */
import { IncomingOpening } from "../../../peer/engine/mse/incoming-opening.ts";
import { MseInitiator } from "../../../peer/engine/mse/mse-initiator.ts";
import { type Opening, skeyName } from "../../../peer/engine/mse/mse-keys.ts";
import { MseResponder } from "../../../peer/engine/mse/mse-responder.ts";
import { encodeHandshake } from "../../../peer/engine/wire/handshake.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { below, type Random, randomBytesOf, seededRandom } from "../random.ts";
import type { FuzzTarget } from "../target.ts";

const INFO_HASH = "0123456789abcdef0123456789abcdef01234567" as InfoHash;
const HELLO = encodeHandshake({ infoHash: INFO_HASH, peerId: "aa".repeat(20) as PeerId });
const OURS = 7;
/** Above what any opening may keep, with room for what the peer sends besides. */
const MOST_BYTES = 70_000;

/** The same bytes each time, so that a sample fits the side under test. */
function fixed(): (count: number) => Buffer {
  const random = seededRandom(OURS);
  return (count) => randomBytesOf(random, count);
}

function initiator(): MseInitiator {
  return new MseInitiator({ infoHash: INFO_HASH, payload: HELLO, offered: 3, randomBytes: fixed() });
}

function responder(): Opening {
  const findTorrent = (name: Buffer): InfoHash | undefined => (name.equals(skeyName(INFO_HASH)) ? INFO_HASH : undefined);
  return new IncomingOpening({
    acceptsPlain: true,
    beginEncrypted: () => new MseResponder({ findTorrent, select: (offered) => offered & 2 || offered & 1, randomBytes: fixed() }),
  });
}

/** All that each side says in a handshake that works. */
function dialogue(): { fromInitiator: Buffer; fromResponder: Buffer } {
  const [a, b] = [initiator(), responder()];
  const first = a.begin();
  const second = b.feed(first).reply ?? Buffer.alloc(0);
  const third = a.feed(second).reply ?? Buffer.alloc(0);
  const fourth = b.feed(third).reply ?? Buffer.alloc(0);
  return { fromInitiator: Buffer.concat([first, third]), fromResponder: Buffer.concat([second, fourth]) };
}

export const mse: FuzzTarget = {
  name: "mse",
  samples: () => {
    const { fromInitiator, fromResponder } = dialogue();
    return [fromInitiator, fromResponder, HELLO];
  },
  run: (input, random) => {
    const side = random() < 0.5 ? responder() : begun(initiator());
    const step = feedCut(side, input, random);
    if (step > MOST_BYTES + input.length) throw new Error(`gave ${step} bytes for ${input.length}`);
  },
};

function begun(opening: MseInitiator): Opening {
  opening.begin();
  return opening;
}

/** Bytes that came out. */
function feedCut(side: Opening, input: Buffer, random: Random): number {
  let out = 0;
  for (let at = 0; at < input.length; ) {
    const part = input.subarray(at, at + 1 + below(random, 400));
    const step = side.feed(part);
    out += step.reply?.length ?? 0;
    if (step.kind === "done") return out + step.bytes.length;
    at += part.length;
  }
  return out;
}
