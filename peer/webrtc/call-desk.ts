/**
 * The WebRTC side of a host: makes and answers calls, as many as this host can bear. Drives calls; where descriptions come from is not its business.
 * Invariant: at most MOST_CALLS calls, at most MOST_RINGING of them without an open channel.
 */
import type { RtcConfig } from "node-datachannel";
import type { DataChannels } from "./load-datachannel.ts";
import { type OpenChannel, PeerCall } from "./peer-call.ts";

/** A native connection takes some 100 KiB and a UDP port. */
const MOST_CALLS = 200;
const MOST_RINGING = 60;

export interface CallDeskOptions {
  readonly channels: DataChannels;
  /** The only address to use; undefined: all of this host. */
  readonly bindAddress: string | undefined;
  /** `stun:HOST:PORT` of servers to ask for this host's outside address; none: addresses of its own only. */
  readonly iceServers: readonly string[];
}

/** A call that waits for its answer. */
export interface Ringing extends Disposable {
  readonly sdp: string;
  /** It was not given up meanwhile. */
  readonly open: boolean;
  /** Throws SkimmerError `protocol`. */
  accept(sdp: string): void;
}

export class CallDesk implements Disposable {
  readonly #options: CallDeskOptions;
  readonly #ringing = new Set<PeerCall>();
  readonly #talking = new Set<PeerCall>();
  #closed = false;

  constructor(options: CallDeskOptions) {
    this.#options = options;
  }

  /** Calls by whether their channel stands. */
  get figures(): { readonly ringing: number; readonly open: number } {
    return { ringing: this.#ringing.size, open: this.#talking.size };
  }

  /** A call to whoever answers; undefined: there is no room for it. `onFail`: it was answered, and no channel came of it. */
  async offer(onOpen: (channel: OpenChannel) => void, onFail: () => void = () => undefined): Promise<Ringing | undefined> {
    const call = this.#begin(onOpen, onFail);
    if (call === undefined) return undefined;
    const sdp = await call.offer();
    return {
      sdp,
      get open() {
        return call.open;
      },
      accept: (answer) => call.accept(answer),
      [Symbol.dispose]: () => call[Symbol.dispose](),
    };
  }

  /** Answers a call; undefined: there is no room for it. Rejects with SkimmerError `protocol`. */
  async answer(sdp: string, onOpen: (channel: OpenChannel) => void): Promise<string | undefined> {
    return this.#begin(onOpen)?.answer(sdp);
  }

  /** Ends all calls. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const call of [...this.#ringing, ...this.#talking]) call[Symbol.dispose]();
  }

  #begin(onOpen: (channel: OpenChannel) => void, onFail: () => void = () => undefined): PeerCall | undefined {
    const isFull = this.#ringing.size >= MOST_RINGING || this.#ringing.size + this.#talking.size >= MOST_CALLS;
    if (this.#closed || isFull) return undefined;
    const { channels, bindAddress, iceServers } = this.#options;
    const config: RtcConfig = { iceServers: [...iceServers], bindAddress };
    const call: PeerCall = new PeerCall(channels, {
      config,
      events: {
        onOpen: (channel) => {
          this.#ringing.delete(call);
          this.#talking.add(call);
          onOpen(channel);
        },
        onEnd: (failed) => {
          this.#ringing.delete(call);
          this.#talking.delete(call);
          if (failed) onFail();
        },
      },
    });
    this.#ringing.add(call);
    return call;
  }
}
