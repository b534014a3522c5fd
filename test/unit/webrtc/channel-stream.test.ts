/** ChannelStream over a channel that only notes: messages, back-pressure, ends. */
import { once } from "node:events";
import test from "ava";
import { type ByteChannel, ChannelStream } from "../../../peer/webrtc/channel-stream.ts";

const KIB = 1024;

class FakeChannel implements ByteChannel {
  readonly sent: Buffer[] = [];
  buffered = 0;
  /** What the library has taken and not sent stays there. */
  stuck = false;
  closed = false;
  mostBytes = 256 * KIB;
  low: () => void = () => undefined;
  message: (message: string | Buffer | ArrayBuffer) => void = () => undefined;
  ended: () => void = () => undefined;
  failed: (problem: string) => void = () => undefined;

  sendMessageBinary(bytes: Uint8Array): boolean {
    if (this.closed) throw new Error("DataChannel is closed");
    this.sent.push(Buffer.from(bytes));
    if (this.stuck) this.buffered += bytes.length;
    return true;
  }
  bufferedAmount(): number {
    return this.buffered;
  }
  setBufferedAmountLowThreshold(): void {}
  maxMessageSize(): number {
    return this.mostBytes;
  }
  onMessage(heard: FakeChannel["message"]): void {
    this.message = heard;
  }
  onBufferedAmountLow(heard: () => void): void {
    this.low = heard;
  }
  onClosed(heard: () => void): void {
    this.ended = heard;
  }
  onError(heard: (problem: string) => void): void {
    this.failed = heard;
  }
  close(): void {
    this.closed = true;
  }
}

function opened() {
  const channel = new FakeChannel();
  const ends: number[] = [];
  const stream = new ChannelStream(channel, () => ends.push(1));
  return { channel, stream, ends };
}

test("ChannelStream.write() sends messages of at most 64 KiB, and no longer ones than the peer takes", async (t) => {
  const { channel, stream } = opened();
  const bytes = Buffer.from(Array.from({ length: 150 * KIB }, (_, at) => at % 251));
  await new Promise((resolve) => stream.write(bytes, resolve));
  // 150 = 64 + 64 + 22
  t.deepEqual(
    channel.sent.map(({ length }) => length / KIB),
    [64, 64, 22],
  );
  t.true(Buffer.concat(channel.sent).equals(bytes));
  channel.sent.length = 0;
  channel.mostBytes = 100 * KIB;
  stream.cork();
  for (const part of [bytes.subarray(0, 13), bytes.subarray(13)]) stream.write(part);
  await new Promise<void>((resolve) => {
    stream.once("drain", resolve);
    stream.uncork();
  });
  t.true(Buffer.concat(channel.sent).equals(bytes), "what was written while corked goes out together");
  t.is(channel.sent[0].length, 64 * KIB);
});

test("ChannelStream waits where the channel has more than 256 KiB to send, counts what waits, and goes on when there is less", async (t) => {
  const { channel, stream } = opened();
  channel.stuck = true;
  let done = false;
  const written = new Promise<void>((resolve) =>
    stream.write(Buffer.alloc(1000 * KIB), () => {
      done = true;
      resolve();
    }),
  );
  // four times 64 are not more than 256, five times are
  t.is(channel.sent.length, 5);
  t.is(stream.writableLength, 1000 * KIB);
  channel.buffered = 64 * KIB;
  channel.low();
  t.false(done);
  t.is(channel.sent.length, 5 + 4);
  channel.stuck = false;
  channel.buffered = 0;
  const drained = once(stream, "drain");
  channel.low();
  await Promise.all([written, drained]);
  t.is(stream.writableLength, 0);
});

test("ChannelStream.destroy() calls back whoever waits, closes the channel, and ends its connection once", async (t) => {
  const { channel, stream, ends } = opened();
  channel.stuck = true;
  const results: (Error | null | undefined)[] = [];
  for (let count = 0; count < 3; count++) stream.write(Buffer.alloc(400 * KIB), (error) => results.push(error));
  stream.on("error", () => undefined);
  stream.destroy();
  await once(stream, "close");
  t.is(results.length, 3);
  t.true(results.every((error) => error instanceof Error));
  t.true(channel.closed);
  t.deepEqual(ends, [1]);
  channel.low();
  channel.message(Buffer.from("late"));
});

test("ChannelStream hands on what the peer sends, ends when it does, and takes no text", async (t) => {
  const { channel, stream, ends } = opened();
  const heard: Buffer[] = [];
  stream.on("data", (bytes: Buffer) => heard.push(bytes));
  channel.message(Buffer.from("one"));
  channel.message(new Uint8Array([1, 2]).buffer);
  channel.ended();
  await once(stream, "close");
  t.is(Buffer.concat(heard).toString("latin1"), "one\x01\x02");
  t.deepEqual(ends, [1]);
  const other = opened();
  const failed = once(other.stream, "error");
  other.channel.message("text");
  t.is((await failed)[0].message, "peer sent text");
});

test("ChannelStream fails with the channel, and where it cannot send", async (t) => {
  const first = opened();
  const failed = once(first.stream, "error");
  first.channel.failed("broken");
  t.is((await failed)[0].message, "broken");
  const second = opened();
  second.channel.closed = true;
  const refused = once(second.stream, "error");
  second.stream.write(Buffer.alloc(1));
  t.is((await refused)[0].message, "DataChannel is closed");
});
