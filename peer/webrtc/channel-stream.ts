/**
 * A WebRTC data channel as a stream of bytes. Drives the channel.
 *
 * What is written goes out in messages that every implementation takes, and no faster than the channel does: beyond MOST_BUFFERED_BYTES inside the
 * library a write waits, so that the stream's own count tells how much is unsent. Invariant: the callback of each write is called exactly once.
 */
import { Duplex } from "node:stream";
import type { DataChannel } from "node-datachannel";

/** What we use of a channel. */
export type ByteChannel = Pick<
  DataChannel,
  | "sendMessageBinary"
  | "bufferedAmount"
  | "setBufferedAmountLowThreshold"
  | "maxMessageSize"
  | "onMessage"
  | "onBufferedAmountLow"
  | "onClosed"
  | "onError"
  | "close"
>;

/** RFC 8831 6.6 asks for 16 KiB at most where messages of several channels mix; there is one channel here, and 64 KiB is what all take. */
const MOST_MESSAGE_BYTES = 64 * 1024;
const MOST_BUFFERED_BYTES = 256 * 1024;
const LOW_BUFFERED_BYTES = 64 * 1024;
/** As of a socket: the uploader counts on being told of a drain below it. */
const HIGH_WATER_BYTES = 64 * 1024;

interface Chunk {
  readonly chunk: Buffer;
}

type Done = (error?: Error | null) => void;

export class ChannelStream extends Duplex {
  readonly #channel: ByteChannel;
  readonly #onEnd: () => void;
  /** What is being sent, and whom to tell. */
  #unsent: Buffer = Buffer.alloc(0);
  #done: Done | undefined;

  /** `onEnd`: once, when the stream is destroyed; the connection behind the channel is the caller's. */
  constructor(channel: ByteChannel, onEnd: () => void) {
    super({ allowHalfOpen: false, highWaterMark: HIGH_WATER_BYTES });
    this.#channel = channel;
    this.#onEnd = onEnd;
    channel.setBufferedAmountLowThreshold(LOW_BUFFERED_BYTES);
    channel.onBufferedAmountLow(() => this.#send());
    channel.onMessage((message) => this.#onMessage(message));
    channel.onClosed(() => this.push(null));
    channel.onError((problem) => this.destroy(new Error(problem)));
  }

  override _read(): void {
    // the channel pushes by itself
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#begin(chunk, done);
  }

  override _writev(chunks: Chunk[], done: Done): void {
    this.#begin(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#settle(error ?? new Error("the channel is closed"));
    this.#channel.close();
    this.#onEnd();
    done(error);
  }

  #begin(bytes: Buffer, done: Done): void {
    this.#unsent = bytes;
    this.#done = done;
    this.#send();
  }

  #send(): void {
    if (this.#done === undefined) return;
    const most = Math.min(MOST_MESSAGE_BYTES, this.#channel.maxMessageSize());
    try {
      while (this.#unsent.length > 0) {
        if (this.#channel.bufferedAmount() > MOST_BUFFERED_BYTES) return;
        const message = this.#unsent.subarray(0, most);
        this.#unsent = this.#unsent.subarray(message.length);
        this.#channel.sendMessageBinary(message);
      }
    } catch (error) {
      return this.#settle(error as Error);
    }
    this.#settle();
  }

  #settle(error?: Error): void {
    const done = this.#done;
    this.#done = undefined;
    this.#unsent = this.#unsent.subarray(0, 0);
    done?.(error);
  }

  #onMessage(message: string | Buffer | ArrayBuffer): void {
    if (this.destroyed || this.readableEnded) return;
    if (typeof message === "string") this.destroy(new Error("peer sent text"));
    else this.push(Buffer.isBuffer(message) ? message : Buffer.from(message));
  }
}
