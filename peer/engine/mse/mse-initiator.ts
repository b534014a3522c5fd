/**
 * The dialling side of message stream encryption. Decides: bytes in, bytes out, randomness as an argument.
 *
 * Ya, padding → ← Yb, padding; then HASH("req1", S), the masked name of the info hash, and encrypted: verification, what we offer, our
 * BitTorrent handshake; ← encrypted: verification, what they chose, padding. Then the stream.
 */
import { SkimmerError } from "../../../system/errors.ts";
import type { InfoHash } from "../../../torrents/ids.ts";
import { PRIVATE_KEY_BYTES, PUBLIC_KEY_BYTES, publicKeyOf, sharedSecret } from "./key-agreement.ts";
import {
  CRYPTO,
  deriveCiphers,
  MOST_PAD_BYTES,
  maskedName,
  type Opening,
  type OpeningStep,
  type StreamCiphers,
  skeyName,
  syncMark,
  VERIFICATION,
} from "./mse-keys.ts";
import { randomPad } from "./random-pad.ts";

/** crypto_select and the length of the padding that follows it. */
const CHOICE_BYTES = 6;

export interface InitiatorOptions {
  readonly infoHash: InfoHash;
  /** What the stream begins with: goes along, encrypted. */
  readonly payload: Buffer;
  /** `crypto_provide`. */
  readonly offered: number;
  readonly randomBytes: (count: number) => Buffer;
}

export class MseInitiator implements Opening {
  readonly #options: InitiatorOptions;
  readonly #privateKey: Buffer;
  #input: Buffer = Buffer.alloc(0);
  #ciphers: StreamCiphers | undefined;
  /** Their encrypted verification; the padding before it is passed over. */
  #mark: Buffer = VERIFICATION;
  /** Choice and padding length, decrypted. */
  #choice: { selected: number; padBytes: number } | undefined;

  constructor(options: InitiatorOptions) {
    this.#options = options;
    this.#privateKey = options.randomBytes(PRIVATE_KEY_BYTES);
  }

  /** What is sent first. */
  begin(): Buffer {
    return Buffer.concat([publicKeyOf(this.#privateKey), randomPad(this.#options.randomBytes)]);
  }

  feed(bytes: Buffer): OpeningStep {
    this.#input = Buffer.concat([this.#input, bytes]);
    if (this.#ciphers !== undefined) return this.#findChoice(this.#ciphers);
    if (this.#input.length < PUBLIC_KEY_BYTES) return { kind: "more" };
    const theirs = this.#take(PUBLIC_KEY_BYTES);
    const reply = this.#offer(sharedSecret(this.#privateKey, theirs));
    return { kind: "more", reply };
  }

  #offer(secret: Buffer): Buffer {
    const { infoHash, payload, offered } = this.#options;
    const { initiator, responder } = deriveCiphers(secret, infoHash);
    this.#ciphers = { incoming: responder, outgoing: initiator };
    this.#mark = responder.applied(VERIFICATION);
    const offer = Buffer.alloc(VERIFICATION.length + 8);
    offer.writeUInt32BE(offered, VERIFICATION.length);
    // no padding here, then the payload's length
    offer.writeUInt16BE(payload.length, VERIFICATION.length + 6);
    const sealed = initiator.applied(Buffer.concat([offer, payload]));
    return Buffer.concat([syncMark(secret), maskedName(skeyName(infoHash), secret), sealed]);
  }

  #findChoice(ciphers: StreamCiphers): OpeningStep {
    if (this.#choice === undefined) {
      const at = this.#input.indexOf(this.#mark);
      if (at < 0 && this.#input.length < MOST_PAD_BYTES + this.#mark.length) return { kind: "more" };
      if (at < 0 || at > MOST_PAD_BYTES) throw new SkimmerError("protocol", "peer did not answer the encrypted handshake");
      if (this.#input.length < at + this.#mark.length + CHOICE_BYTES) return { kind: "more" };
      this.#take(at + this.#mark.length);
      const choice = ciphers.incoming.applied(this.#take(CHOICE_BYTES));
      this.#choice = { selected: choice.readUInt32BE(0), padBytes: choice.readUInt16BE(4) };
      this.#checkChoice(this.#choice);
    }
    return this.#finish(ciphers, this.#choice);
  }

  #checkChoice({ selected, padBytes }: { selected: number; padBytes: number }): void {
    const isOne = selected === CRYPTO.plaintext || selected === CRYPTO.rc4;
    if (!isOne || (selected & this.#options.offered) === 0) throw new SkimmerError("protocol", `peer chose the encryption ${selected}`);
    if (padBytes > MOST_PAD_BYTES) throw new SkimmerError("protocol", `peer sent padding of ${padBytes} bytes`);
  }

  #finish(ciphers: StreamCiphers, { selected, padBytes }: { selected: number; padBytes: number }): OpeningStep {
    if (this.#input.length < padBytes) return { kind: "more" };
    ciphers.incoming.applied(this.#take(padBytes));
    const rest = this.#take(this.#input.length);
    if (selected === CRYPTO.plaintext) return { kind: "done", bytes: rest };
    return { kind: "done", bytes: ciphers.incoming.applied(rest), ciphers };
  }

  #take(count: number): Buffer {
    const taken = this.#input.subarray(0, count);
    this.#input = this.#input.subarray(count);
    return taken;
  }
}
