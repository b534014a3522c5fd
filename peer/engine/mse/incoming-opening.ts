/**
 * The first bytes of an accepted connection: a BitTorrent handshake as such, or an encrypted one. Decides.
 */
import { SkimmerError } from "../../../system/errors.ts";
import { isPlainStart, PROTOCOL_BYTES } from "../wire/handshake.ts";
import type { Opening, OpeningStep } from "./mse-keys.ts";

export interface IncomingOptions {
  readonly acceptsPlain: boolean;
  /** The other side of an encrypted handshake; undefined: just now there may be no more of them. */
  readonly beginEncrypted: () => Opening | undefined;
}

export class IncomingOpening implements Opening {
  readonly #options: IncomingOptions;
  #input: Buffer = Buffer.alloc(0);
  #encrypted: Opening | undefined;

  constructor(options: IncomingOptions) {
    this.#options = options;
  }

  feed(bytes: Buffer): OpeningStep {
    if (this.#encrypted !== undefined) return this.#encrypted.feed(bytes);
    this.#input = Buffer.concat([this.#input, bytes]);
    if (this.#input.length < PROTOCOL_BYTES) return { kind: "more" };
    if (isPlainStart(this.#input)) {
      if (this.#options.acceptsPlain) return { kind: "done", bytes: this.#input };
      throw new SkimmerError("protocol", "peer came without encryption, which this host requires");
    }
    this.#encrypted = this.#options.beginEncrypted();
    if (this.#encrypted === undefined) throw new SkimmerError("protocol", "too many encrypted handshakes at once");
    return this.#encrypted.feed(this.#input);
  }
}
