/**
 * Hosts with links of a limited rate, in virtual time: what every host sends leaves its link in segments, fairly by connection, and
 * passes the receiver's link in the order of arrival. No packet is lost: a sender keeps to its window, and to what the receiver's
 * queue takes, which is what a settled TCP does.
 */
import type { VirtualTime } from "./virtual-time.ts";

/** Largest part of a stream that goes over a link at once. */
const SEGMENT_BYTES = 8 * 1024;
const FIRST_WINDOW_BYTES = 14 * 1024;
const MOST_WINDOW_BYTES = 512 * 1024;
/** Seconds of its link that may be on the way to a receiver, over all connections. */
const QUEUE_SECONDS = 0.05;
/** Bytes that the kernel takes from a writer ahead of the link. */
const KERNEL_BUFFER_BYTES = 64 * 1024;

/** One host's link, each way. */
export class VirtualHost {
  sentBytes = 0;
  readonly #time: VirtualTime;
  readonly #bytesPerMs: number;
  readonly #delayMs: number;
  readonly #ready: VirtualStream[] = [];
  #sending = false;
  /** When the downlink has passed on all that reached it. */
  #downFreeMs = 0;
  /** On the way to this host. */
  #comingBytes = 0;
  /** Senders that hold back for this host. */
  readonly #held = new Set<VirtualHost>();

  constructor(time: VirtualTime, link: { bytesPerSecond: number; delayMs: number }) {
    this.#time = time;
    this.#bytesPerMs = link.bytesPerSecond / 1000;
    this.#delayMs = link.delayMs;
  }

  /** One direction of a connection to `to`; `deliver` gets the bytes as they arrive. */
  open(parts: { to: VirtualHost; deliver: (bytes: Buffer) => void; onDrain: () => void }): VirtualStream {
    return new VirtualStream({ ...parts, from: this });
  }

  /** The stream has something to send: it waits for its turn. */
  offer(stream: VirtualStream): void {
    if (!stream.queued) {
      stream.queued = true;
      this.#ready.push(stream);
    }
    this.pump();
  }

  /** Calls back in an event of its own: a callback that writes must not find the link half way through a step. */
  later(run: () => void): void {
    this.#time.plan(0, run);
  }

  /** Sends the next segment, if the link is free and some receiver's queue has room. */
  pump(): void {
    if (this.#sending) return;
    for (let tries = this.#ready.length; tries > 0; tries--) {
      const stream = this.#ready.shift() as VirtualStream;
      if (stream.to.isFull) {
        this.#ready.push(stream);
        stream.to.#held.add(this);
        continue;
      }
      stream.queued = false;
      const segment = stream.takeSegment(SEGMENT_BYTES);
      if (segment === undefined) continue;
      this.#send(stream, segment);
      return;
    }
  }

  /** So much is on its way that senders hold back. */
  get isFull(): boolean {
    return this.#comingBytes > this.#bytesPerMs * 1000 * QUEUE_SECONDS;
  }

  #send(stream: VirtualStream, segment: Buffer): void {
    this.#sending = true;
    this.sentBytes += segment.length;
    stream.to.#comingBytes += segment.length;
    this.#time.plan(segment.length / this.#bytesPerMs, () => {
      this.#sending = false;
      stream.to.#receive(stream, segment);
      if (stream.waiting) this.offer(stream);
      else this.pump();
    });
  }

  #receive(stream: VirtualStream, segment: Buffer): void {
    this.#downFreeMs = Math.max(this.#downFreeMs, this.#time.nowMs) + segment.length / this.#bytesPerMs;
    this.#time.plan(this.#downFreeMs - this.#time.nowMs + this.#delayMs, () => {
      this.#comingBytes -= segment.length;
      stream.arrived(segment);
      const held = [...this.#held];
      this.#held.clear();
      for (const host of held) host.pump();
    });
  }
}

/** Bytes in one direction. */
export class VirtualStream {
  readonly to: VirtualHost;
  queued = false;
  readonly #from: VirtualHost;
  readonly #deliver: (bytes: Buffer) => void;
  readonly #onDrain: () => void;
  readonly #writes: { bytes: Buffer; onSent: (() => void) | undefined }[] = [];
  #waitingBytes = 0;
  #windowBytes = FIRST_WINDOW_BYTES;
  #flyingBytes = 0;

  constructor(parts: { from: VirtualHost; to: VirtualHost; deliver: (bytes: Buffer) => void; onDrain: () => void }) {
    this.#from = parts.from;
    this.to = parts.to;
    this.#deliver = parts.deliver;
    this.#onDrain = parts.onDrain;
  }

  /** Bytes that the process still holds. */
  get bufferedBytes(): number {
    return Math.max(0, this.#waitingBytes - KERNEL_BUFFER_BYTES);
  }

  get waiting(): boolean {
    return this.#waitingBytes > 0;
  }

  write(bytes: Buffer, onSent?: () => void): void {
    this.#writes.push({ bytes, onSent });
    this.#waitingBytes += bytes.length;
    this.#from.offer(this);
  }

  /** The next bytes that the window lets go. */
  takeSegment(mostBytes: number): Buffer | undefined {
    const room = Math.min(mostBytes, this.#windowBytes - this.#flyingBytes);
    const first = this.#writes[0];
    if (room <= 0 || first === undefined) return undefined;
    const wasBuffered = this.bufferedBytes > 0;
    const segment = first.bytes.subarray(0, room);
    first.bytes = first.bytes.subarray(segment.length);
    this.#waitingBytes -= segment.length;
    this.#flyingBytes += segment.length;
    if (first.bytes.length === 0) {
      this.#writes.shift();
      if (first.onSent !== undefined) this.#from.later(first.onSent);
    }
    if (wasBuffered && this.bufferedBytes === 0) this.#from.later(this.#onDrain);
    return segment;
  }

  arrived(segment: Buffer): void {
    this.#flyingBytes -= segment.length;
    this.#windowBytes = Math.min(MOST_WINDOW_BYTES, this.#windowBytes + segment.length);
    this.#deliver(segment);
    if (this.waiting) this.#from.offer(this);
  }
}
