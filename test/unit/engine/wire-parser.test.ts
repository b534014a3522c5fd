/** The wire parser against the encoders: whatever the cuts, the same messages come out; hostile bytes only throw. */
import test from "ava";
import fc from "fast-check";
import {
  type BlockRange,
  encodeBitfield,
  encodeBlockHeader,
  encodeExtended,
  encodeFlag,
  encodeIndex,
  encodeRanges,
  KEEP_ALIVE,
  MESSAGE,
} from "../../../peer/engine/wire/messages.ts";
import { type WireHandler, WireParser } from "../../../peer/engine/wire/wire-parser.ts";
import { refuses } from "../torrents/refuses.ts";

const LIMITS = { blockBytes: 300, messageBytes: 400 };

/** Writes down what it is told, with bytes of its own. */
class Recorder implements WireHandler {
  readonly seen: unknown[] = [];
  blockBytes = 0;
  readonly #wants: (index: number) => boolean;
  #target: Buffer | undefined;

  constructor(wants: (index: number) => boolean = () => true) {
    this.#wants = wants;
  }

  onMessage(id: number, payload: Buffer): void {
    this.seen.push({ id, payload: payload.toString("hex") });
  }

  onBlockBegin(index: number, _begin: number, length: number): Buffer | undefined {
    this.#target = this.#wants(index) ? Buffer.alloc(length) : undefined;
    return this.#target;
  }

  onBlockBytes(count: number): void {
    this.blockBytes += count;
  }

  onBlockEnd(index: number, begin: number, length: number): void {
    this.seen.push({ index, begin, length, bytes: this.#target?.toString("hex") });
  }
}

/** Feeds in runs of the given lengths, over and over, all from one read buffer that is scribbled over in between. */
function feedCut(parser: WireParser, bytes: Buffer, lengths: readonly number[]): void {
  const read = Buffer.alloc(Math.max(...lengths));
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const count = bytes.copy(read, 0, at, at + lengths[turn % lengths.length]);
    parser.feed(read, count);
    read.fill(0xee);
    at += count;
  }
}

interface Sample {
  readonly bytes: Buffer;
  /** What the recorder must have seen. */
  readonly seen: readonly unknown[];
}

const anyIndex = fc.nat(0xffffffff);
const anyBytes = (least: number, most: number) => fc.uint8Array({ minLength: least, maxLength: most }).map((bytes) => Buffer.from(bytes));
const message = (id: number, payload: Buffer, bytes: Buffer): Sample => ({ bytes, seen: [{ id, payload: payload.toString("hex") }] });
const anySample: fc.Arbitrary<Sample> = fc.oneof(
  fc.constant({ bytes: KEEP_ALIVE, seen: [] }),
  fc
    .constantFrom(MESSAGE.choke, MESSAGE.unchoke, MESSAGE.interested, MESSAGE.haveAll, 99)
    .map((id) => message(id, Buffer.alloc(0), encodeFlag(id))),
  anyIndex.map((index) => message(MESSAGE.have, encodeIndex(0, index).subarray(5), encodeIndex(MESSAGE.have, index))),
  fc.record<BlockRange>({ index: anyIndex, begin: anyIndex, length: anyIndex }).map((range) => {
    const bytes = encodeRanges(MESSAGE.request, [range]);
    return message(MESSAGE.request, bytes.subarray(5), bytes);
  }),
  anyBytes(0, 60).map((bits) => message(MESSAGE.bitfield, bits, encodeBitfield(bits))),
  anyBytes(0, 390).map((payload) => message(MESSAGE.extended, Buffer.concat([Buffer.from([3]), payload]), encodeExtended(3, payload))),
  fc.tuple(anyIndex, anyIndex, anyBytes(1, LIMITS.blockBytes)).map(([index, begin, block]) => ({
    bytes: Buffer.concat([encodeBlockHeader({ index, begin, length: block.length }), block]),
    seen: [{ index, begin, length: block.length, bytes: index % 2 === 0 ? block.toString("hex") : undefined }],
  })),
);

test("WireParser.feed() gives the same messages however the stream is cut", (t) => {
  fc.assert(
    fc.property(
      fc.array(anySample, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }),
      (samples, lengths) => {
        const recorder = new Recorder((index) => index % 2 === 0);
        const bytes = Buffer.concat(samples.map((sample) => sample.bytes));
        feedCut(new WireParser(recorder, LIMITS), bytes, lengths);
        t.deepEqual(
          recorder.seen,
          samples.flatMap((sample) => sample.seen),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test("WireParser.feed() of any bytes ends in messages or a protocol error, and hands no block out of bounds on", (t) => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          anyBytes(0, 30),
          fc.constant(Buffer.from([0, 0, 0])),
          anySample.map(({ bytes }) => bytes),
        ),
      ),
      (parts) => {
        const recorder = new Recorder();
        try {
          feedCut(new WireParser(recorder, LIMITS), Buffer.concat(parts), [7, 1, 30]);
        } catch (error) {
          t.is((error as { code?: string }).code, "protocol", String(error));
        }
        for (const seen of recorder.seen as { length?: number }[])
          t.true((seen.length ?? 1) >= 1 && (seen.length ?? 1) <= LIMITS.blockBytes);
      },
    ),
    { numRuns: 500 },
  );
});

for (const [why, bytes] of [
  ["a message above the limit", [0, 0, 1, 0x91, MESSAGE.extended]],
  ["a message of 4 GiB", [0xff, 0xff, 0xff, 0xff, MESSAGE.bitfield]],
  ["a block above the limit", [...encodeBlockHeader({ index: 0, begin: 0, length: LIMITS.blockBytes + 1 })]],
  ["a block without bytes", [...encodeBlockHeader({ index: 0, begin: 0, length: 0 })]],
  ["a piece message that is shorter than its header", [0, 0, 0, 1, MESSAGE.piece, 0, 0, 0, 0, 0, 0, 0, 0]],
] as const) {
  test(`WireParser.feed() refuses ${why}, in one read and byte by byte`, (t) => {
    const stream = Buffer.from([...bytes, ...new Array(20).fill(0)]);
    refuses(t, () => new WireParser(new Recorder(), LIMITS).feed(stream, stream.length));
    refuses(t, () => feedCut(new WireParser(new Recorder(), LIMITS), stream, [1]));
  });
}

test("WireParser.dropBlock() leaves the buffer alone from there on, and the stream in step", (t) => {
  const target = Buffer.alloc(8);
  const recorder = new Recorder();
  recorder.onBlockBegin = () => target;
  const parser = new WireParser(recorder, LIMITS);
  const head = Buffer.concat([encodeBlockHeader({ index: 1, begin: 0, length: 8 }), Buffer.from("abcd")]);
  parser.feed(head, head.length);
  parser.dropBlock();
  const rest = Buffer.concat([Buffer.from("efgh"), encodeFlag(MESSAGE.choke)]);
  parser.feed(rest, rest.length);
  t.is(target.toString("latin1"), "abcd\0\0\0\0");
  t.is(recorder.blockBytes, 8);
  t.deepEqual(recorder.seen.at(-1), { id: MESSAGE.choke, payload: "" });
});

test("WireParser.feed() reads only the length it is told", (t) => {
  const recorder = new Recorder();
  const read = Buffer.concat([encodeFlag(MESSAGE.choke), encodeFlag(MESSAGE.unchoke)]);
  new WireParser(recorder, LIMITS).feed(read, 5);
  t.deepEqual(recorder.seen, [{ id: MESSAGE.choke, payload: "" }]);
});
