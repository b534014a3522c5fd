/**
 * One call to or from another peer, from the first description to the open channel. Drives one native connection.
 *
 * Every step has a limit in time. Invariant: the connection is closed exactly once, when the call fails or its stream is destroyed.
 */
import type { DataChannel, PeerConnection, RtcConfig } from "node-datachannel";
import { SkimmerError } from "../../system/errors.ts";
import { ChannelStream } from "./channel-stream.ts";
import type { DataChannels } from "./load-datachannel.ts";
import { type Description, readDescription } from "./session-description.ts";

/** Addresses of this host are found at once; those that a STUN server tells may take longer. */
const GATHER_LIMIT_MS = 3_000;
/** From the answer to the open channel: the checks of some dozen pairs of addresses. */
const OPEN_LIMIT_MS = 20_000;
/** An offer that nobody answered: webtorrent in Node takes five seconds for an answer. */
const OFFER_LIFE_MS = 20_000;
/**
 * Who was called checks the caller's addresses so long after the answer only. libdatachannel 0.24 begins to connect, where checks came already, before
 * the answer is wholly in its place, and on a busy machine refuses the certificate then (seen: 3 calls of 16). Callers check at once, so nothing
 * is lost; a second, because an answer takes that long to be read where the caller is busy.
 */
const ANSWER_TRAVELS_MS = 1_000;

/** A channel that stands, and where its bytes come from. */
export interface OpenChannel {
  readonly stream: ChannelStream;
  readonly host: string;
  readonly port: number;
}

export interface CallEvents {
  onOpen(channel: OpenChannel): void;
  /** It is over, however; `failed`: it was answered, and no channel came of it. */
  onEnd(failed: boolean): void;
}

export class PeerCall implements Disposable {
  readonly #connection: PeerConnection;
  readonly #events: CallEvents;
  readonly #gathered = Promise.withResolvers<void>();
  #channel: DataChannel | undefined;
  #stream: ChannelStream | undefined;
  #timer: NodeJS.Timeout | undefined;
  #checks: NodeJS.Timeout | undefined;
  #answered = false;
  #ended = false;

  constructor({ PeerConnection }: DataChannels, options: { config: RtcConfig; events: CallEvents }) {
    this.#events = options.events;
    this.#connection = new PeerConnection("skimmer", options.config);
    this.#connection.onGatheringStateChange((state) => state === "complete" && this.#gathered.resolve());
    this.#connection.onStateChange((state) => (state === "failed" || state === "closed") && this.#end(true));
  }

  /** True until it is over. */
  get open(): boolean {
    return !this.#ended;
  }

  /** Our description, to be answered within OFFER_LIFE_MS. */
  offer(): Promise<string> {
    this.#limit(OFFER_LIFE_MS);
    this.#take(this.#connection.createDataChannel("skimmer"));
    return this.#describe();
  }

  /** Their description, in answer to ours; too late, it changes nothing. Throws SkimmerError `protocol`. */
  accept(sdp: string): void {
    if (this.#ended) return;
    this.#limit(OPEN_LIMIT_MS);
    this.#read(sdp, "answer")();
    this.#answered = true;
  }

  /** Our answer to their description. Rejects with SkimmerError `protocol`. */
  async answer(sdp: string): Promise<string> {
    this.#limit(OPEN_LIMIT_MS);
    this.#connection.onDataChannel((channel) => this.#take(channel));
    const check = this.#read(sdp, "offer");
    const description = await this.#describe();
    this.#checks = setTimeout(check, ANSWER_TRAVELS_MS);
    return description;
  }

  [Symbol.dispose](): void {
    this.#end(false);
  }

  #end(failed: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#checks);
    this.#gathered.resolve();
    if (this.#stream === undefined) this.#channel?.close();
    else this.#stream.destroy();
    this.#connection.close();
    this.#events.onEnd(failed && this.#answered && this.#stream === undefined);
  }

  #limit(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(true), ms);
  }

  /** Answers what has the addresses of the description checked. */
  #read(sdp: string, type: "offer" | "answer"): () => void {
    const read = readDescription(sdp);
    try {
      if (read === undefined) throw new Error("it is no session description");
      this.#connection.setRemoteDescription(read.sdp, type);
      return () => this.#check(read);
    } catch (cause) {
      this[Symbol.dispose]();
      throw new SkimmerError("protocol", `a peer's WebRTC ${type} cannot be used: ${(cause as Error).message}`, { cause });
    }
  }

  #check({ candidates, mid }: Description): void {
    for (const candidate of candidates)
      try {
        if (!this.#ended) this.#connection.addRemoteCandidate(candidate, mid);
      } catch {
        // an address that the library cannot read: there may be others
      }
  }

  async #describe(): Promise<string> {
    const limit = setTimeout(() => this.#gathered.resolve(), GATHER_LIMIT_MS);
    await this.#gathered.promise;
    clearTimeout(limit);
    const description = this.#ended ? null : this.#connection.localDescription();
    if (description !== null) return description.sdp;
    this[Symbol.dispose]();
    throw new SkimmerError("timeout", "a WebRTC call ended before it began", { retriable: true });
  }

  /** One channel of a call counts. */
  #take(channel: DataChannel): void {
    if (this.#channel !== undefined || this.#ended) return refuse(channel);
    this.#channel = channel;
    // node-datachannel 0.33 frees a channel, which keeps the process alive, only when it was closed and somebody hears of it
    channel.onClosed(() => this.#end(true));
    if (channel.isOpen()) this.#onOpen(channel);
    else channel.onOpen(() => this.#onOpen(channel));
  }

  #onOpen(channel: DataChannel): void {
    if (this.#ended || this.#stream !== undefined) return;
    clearTimeout(this.#timer);
    const remote = this.#connection.getSelectedCandidatePair()?.remote;
    this.#stream = new ChannelStream(channel, () => this[Symbol.dispose]());
    // whoever takes it listens too; nobody may be there any more to take it
    this.#stream.on("error", () => undefined);
    this.#events.onOpen({ stream: this.#stream, host: remote?.address ?? "", port: remote?.port ?? 0 });
  }
}

function refuse(channel: DataChannel): void {
  channel.onClosed(() => undefined);
  channel.close();
}
