/**
 * The accepting side of message stream encryption. Decides: bytes in, bytes out, randomness as an argument.
 *
 * Invariant: nothing is kept beyond MOST_PAD_BYTES of padding and MOST_PAYLOAD_BYTES of payload, and the key agreement is only begun once
 * 96 bytes came.
 */
import { SkimmerError } from "../../../system/errors.ts";
import type { InfoHash } from "../../../torrents/ids.ts";
import { PRIVATE_KEY_BYTES, PUBLIC_KEY_BYTES, publicKeyOf, sharedSecret } from "./key-agreement.ts";
import {
  CRYPTO,
  deriveCiphers,
  HASH_BYTES,
  MOST_PAD_BYTES,
  maskedName,
  type Opening,
  type OpeningStep,
  type StreamCiphers,
  syncMark,
  VERIFICATION,
} from "./mse-keys.ts";
import { randomPad } from "./random-pad.ts";

/** Verification, what is offered, length of the padding. */
const OFFER_BYTES = VERIFICATION.length + 6;
const LENGTH_BYTES = 2;
/** A BitTorrent handshake and what clients put behind it at once. */
const MOST_PAYLOAD_BYTES = 16 * 1024;

export interface ResponderOptions {
  /** The info hash of ours that has this name (mse-keys.ts), if any. */
  readonly findTorrent: (name: Buffer) => InfoHash | undefined;
  /** `crypto_select` for what they offer; 0 where nothing suits. */
  readonly select: (offered: number) => number;
  readonly randomBytes: (count: number) => Buffer;
}

type State =
  | { readonly kind: "key" }
  | { readonly kind: "sync"; readonly secret: Buffer }
  | { readonly kind: "offer"; readonly ciphers: StreamCiphers }
  | { readonly kind: "payload"; readonly ciphers: StreamCiphers; readonly offered: number; readonly padBytes: number };

export class MseResponder implements Opening {
  readonly #options: ResponderOptions;
  #input: Buffer = Buffer.alloc(0);
  #state: State = { kind: "key" };
  /** Of the payload state, once it is here. */
  #payloadBytes: number | undefined;

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  feed(bytes: Buffer): OpeningStep {
    this.#input = Buffer.concat([this.#input, bytes]);
    const reply = this.#state.kind === "key" ? this.#answerKey() : undefined;
    if (this.#state.kind === "sync") this.#findTorrent(this.#state.secret);
    if (this.#state.kind === "offer") this.#readOffer(this.#state.ciphers);
    const done = this.#state.kind === "payload" ? this.#finish(this.#state) : undefined;
    if (done === undefined) return { kind: "more", reply };
    return reply === undefined ? done : { ...done, reply: Buffer.concat([reply, done.reply]) };
  }

  #answerKey(): Buffer | undefined {
    if (this.#input.length < PUBLIC_KEY_BYTES) return undefined;
    const { randomBytes } = this.#options;
    const privateKey = randomBytes(PRIVATE_KEY_BYTES);
    const publicKey = publicKeyOf(privateKey);
    this.#state = { kind: "sync", secret: sharedSecret(privateKey, this.#take(PUBLIC_KEY_BYTES)) };
    return Buffer.concat([publicKey, randomPad(randomBytes)]);
  }

  #findTorrent(secret: Buffer): void {
    const mark = syncMark(secret);
    const at = this.#input.indexOf(mark);
    if (at < 0 && this.#input.length < MOST_PAD_BYTES + HASH_BYTES) return;
    if (at < 0 || at > MOST_PAD_BYTES) throw new SkimmerError("protocol", "peer began neither a plain nor an encrypted handshake");
    if (this.#input.length < at + 2 * HASH_BYTES) return;
    this.#take(at + HASH_BYTES);
    const infoHash = this.#options.findTorrent(maskedName(this.#take(HASH_BYTES), secret));
    if (infoHash === undefined) throw new SkimmerError("protocol", "peer asked for a torrent that is not here, encrypted");
    const { initiator, responder } = deriveCiphers(secret, infoHash);
    this.#state = { kind: "offer", ciphers: { incoming: initiator, outgoing: responder } };
  }

  #readOffer(ciphers: StreamCiphers): void {
    if (this.#input.length < OFFER_BYTES) return;
    const offer = ciphers.incoming.applied(this.#take(OFFER_BYTES));
    const padBytes = offer.readUInt16BE(OFFER_BYTES - LENGTH_BYTES);
    const isVerified = offer.subarray(0, VERIFICATION.length).equals(VERIFICATION);
    if (!isVerified || padBytes > MOST_PAD_BYTES) throw new SkimmerError("protocol", "peer sent a broken encrypted handshake");
    this.#state = { kind: "payload", ciphers, offered: offer.readUInt32BE(VERIFICATION.length), padBytes };
  }

  #finish(state: State & { kind: "payload" }): { kind: "done"; reply: Buffer; bytes: Buffer; ciphers?: StreamCiphers } | undefined {
    const { ciphers, padBytes, offered } = state;
    if (this.#payloadBytes === undefined) {
      if (this.#input.length < padBytes + LENGTH_BYTES) return undefined;
      this.#payloadBytes = ciphers.incoming.applied(this.#take(padBytes + LENGTH_BYTES)).readUInt16BE(padBytes);
      if (this.#payloadBytes > MOST_PAYLOAD_BYTES) throw new SkimmerError("protocol", "peer began with too long an encrypted payload");
    }
    if (this.#input.length < this.#payloadBytes) return undefined;
    const payload = ciphers.incoming.applied(this.#take(this.#payloadBytes));
    const rest = this.#take(this.#input.length);
    const selected = this.#options.select(offered);
    if (selected === 0) throw new SkimmerError("protocol", `peer offers no encryption that we take (${offered})`);
    const reply = ciphers.outgoing.applied(acceptance(selected));
    if (selected === CRYPTO.plaintext) return { kind: "done", reply, bytes: Buffer.concat([payload, rest]) };
    return { kind: "done", reply, bytes: Buffer.concat([payload, ciphers.incoming.applied(rest)]), ciphers };
  }

  #take(count: number): Buffer {
    const taken = this.#input.subarray(0, count);
    this.#input = this.#input.subarray(count);
    return taken;
  }
}

/** Verification and choice, without padding. */
function acceptance(selected: number): Buffer {
  const bytes = Buffer.alloc(VERIFICATION.length + 6);
  bytes.writeUInt32BE(selected, VERIFICATION.length);
  return bytes;
}
